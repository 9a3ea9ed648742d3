package bfd

import "net/http"

// Transport makes connections for others who ask BFD something: with the same
// credentials, which change with the files, and given up as often. It does not
// take part in the pace of the claims.
func (s *Source) Transport() http.RoundTripper { return roundTripper{s.client} }

type roundTripper struct{ client *client }

func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	return t.client.current(req.Context()).RoundTrip(req)
}
