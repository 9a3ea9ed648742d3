// Command generate writes the pages of docs that follow from the code: the data
// dictionary from the rules, the reference of the settings, the Postman
// collection from the OpenAPI document, and the notices from go.mod.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// generated are the files below docs, and who makes each.
var generated = map[string]func() ([]byte, error){
	"data-dictionary-r4.md":        func() ([]byte, error) { return dictionaryPage("R4") },
	"data-dictionary-stu3.md":      func() ([]byte, error) { return dictionaryPage("STU3") },
	"configuration.md":             configurationPage,
	"ab2d.postman_collection.json": postman,
	"../THIRD_PARTY_NOTICES.txt":   notices,
}

func main() {
	for name, make := range generated {
		content, err := make()
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], name), content, 0o644)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
	}
}
