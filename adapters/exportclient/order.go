package exportclient

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// Order is an export to ask for, as it is sent: what is on disk from the first
// moment, and what two runs must have in common for one to go on with what the
// other began.
type Order struct {
	Base   string          `json:"base"` // of the FHIR API
	Method string          `json:"method"`
	URL    string          `json:"url"`
	Body   json.RawMessage `json:"body,omitempty"`   // a Parameters resource, of a POST
	Prefer string          `json:"prefer,omitempty"` // beside respond-async
	Job    string          `json:"job,omitempty"`    // the status address of an export that runs already, instead of a new one
}

// Same reports whether two orders ask for the same.
func (o Order) Same(p Order) bool {
	return o.Base == p.Base && o.Method == p.Method && o.URL == p.URL && bytes.Equal(canonical(o.Body), canonical(p.Body)) && o.Prefer == p.Prefer && o.Job == p.Job
}

// canonical returns JSON as it is on disk and on the wire.
func canonical(body json.RawMessage) json.RawMessage {
	text, err := json.Marshal(body)
	if err != nil || len(body) == 0 {
		return body
	}
	return text
}

// Parameter is one of a kick-off. Several of one name are allowed.
type Parameter struct{ Name, Value string }

// kinds are the types of what is not a string in a Parameters resource.
var kinds = map[string]string{"_since": "valueInstant", "_until": "valueInstant", "allowPartialManifests": "valueBoolean",
	"_minimumFileSize": "valuePositiveInt", "_maximumFileSize": "valuePositiveInt"}

// lists are the parameters that clients of servers before the fourth version of
// the guide write with commas. Not _typeFilter: commas mean something in it.
var lists = []string{"_type", "_elements", "includeAssociatedData"}

// NewOrder asks for the export of a place: "Group/S0000", "Patient", or nothing
// for the whole system. It is a GET, which every server up to the third version
// of the guide has to understand, unless post says otherwise or patients are
// named, who do not belong into an address.
func NewOrder(base, place string, parameters []Parameter, post, lenient bool) (Order, error) {
	base = strings.TrimRight(base, "/")
	o := Order{Base: base, Method: http.MethodGet, URL: base + "/" + strings.TrimLeft(place+"/$export", "/")}
	if lenient {
		o.Prefer = "handling=lenient"
	}
	for _, p := range parameters {
		post = post || p.Name == "patient"
	}
	if !post {
		q := url.Values{}
		for _, p := range parameters {
			q.Add(p.Name, p.Value)
		}
		for _, name := range lists {
			if q.Has(name) {
				q.Set(name, strings.Join(q[name], ","))
			}
		}
		if len(q) > 0 {
			o.URL += "?" + q.Encode()
		}
		return o, nil
	}
	o.Method = http.MethodPost
	all := []map[string]any{}
	for _, p := range parameters {
		one := map[string]any{"name": p.Name}
		switch kind := kinds[p.Name]; {
		case p.Name == "patient":
			one["valueReference"] = map[string]string{"reference": reference(p.Value)}
		case kind == "valueInstant":
			one[kind] = p.Value
		case kind != "":
			one[kind] = json.RawMessage(p.Value) // a number or true, not a text
		default:
			one["valueString"] = p.Value
		}
		all = append(all, one)
	}
	body, err := json.Marshal(map[string]any{"resourceType": "Parameters", "parameter": all})
	if err != nil {
		return Order{}, fault(Usage, "", "a parameter is not what its kind needs: %v", err)
	}
	o.Body = canonical(body)
	return o, nil
}

func reference(patient string) string {
	if strings.Contains(patient, "/") {
		return patient
	}
	return "Patient/" + patient
}
