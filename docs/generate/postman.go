package main

import (
	"cms.gov/ab2d/adapters/openapi"
	"cms.gov/ab2d/adapters/sandboxauth"
)

// postman is the collection for the sandbox's first sponsor.
func postman() ([]byte, error) {
	d, err := openapi.NewDocument("")
	if err != nil {
		return nil, err
	}
	s := sandboxauth.Guide[0]
	return d.Postman("http://127.0.0.1:8080", openapi.Client{Name: s.Name, Contract: string(s.Contract), ID: string(s.Client), Secret: s.Secret})
}
