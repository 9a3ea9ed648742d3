package bfdmock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"cms.gov/ab2d/domain"
)

// bundle writes a searchset.
type bundle struct {
	out     bytes.Buffer
	links   []map[string]string
	entries int
}

func newBundle(q *question) *bundle {
	b := &bundle{}
	h := hash(q.URL.String())
	fmt.Fprintf(&b.out, `{"resourceType":"Bundle","id":"%08x-0000-4000-8000-%012x","meta":{"lastUpdated":%q},"type":"searchset"`,
		h>>32, h&0xffffffffffff, q.asOf.UTC().Format("2006-01-02T15:04:05.000+00:00"))
	return b
}

func (b *bundle) total(n int, wrong bool) {
	if wrong {
		n++
	}
	b.out.WriteString(`,"total":` + strconv.Itoa(n))
}

func (b *bundle) link(relation, address string) {
	b.links = append(b.links, map[string]string{"relation": relation, "url": address})
}

// entry comes after all links.
func (b *bundle) entry(resource []byte) {
	before := `},{"resource":`
	if b.entries == 0 {
		b.writeLinks()
		before = `,"entry":[{"resource":`
	}
	b.entries++
	b.out.WriteString(before)
	b.out.Write(resource)
}

func (b *bundle) writeLinks() {
	b.out.WriteString(`,"link":`)
	e := json.NewEncoder(&b.out)
	e.SetEscapeHTML(false)
	_ = e.Encode(b.links) // maps of strings into memory
	b.out.Truncate(b.out.Len() - 1)
}

func (b *bundle) end() []byte {
	if b.entries == 0 { // BFD has no entry member then
		b.writeLinks()
	} else {
		b.out.WriteString("}]")
	}
	b.out.WriteByte('}')
	return b.out.Bytes()
}

// base is the address that was asked, without the query.
func (q *question) base() string {
	scheme := "http"
	if q.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + q.Host + q.URL.Path
}

func (q *question) self() string { return q.base() + "?" + q.URL.RawQuery }

// pieces is in how many a slow body comes.
const pieces = 20

// send sends an answer, or as much of it as its fate lets through.
func (s *Server) send(w http.ResponseWriter, q *question, a answer) {
	body := a.body
	if q.fate.malformed && !a.encoded {
		body = spoil(body, q.fate.place)
	}
	w.Header().Set("Content-Type", "application/fhir+json;charset=UTF-8")
	switch accepts := strings.Contains(q.Header.Get("Accept-Encoding"), "gzip"); {
	case a.encoded && !accepts:
		refuse(w, http.StatusNotAcceptable, "not-supported", "this stand-in has its answers as gzip only")
		return
	case a.encoded:
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	case accepts:
		w.Header().Set("Content-Encoding", "gzip")
		body = pack(body)
	}
	s.stats.bytes.Add(int64(len(a.body)))
	half := len(body) / 2
	switch f := q.fate; {
	case f.cut:
		s.stats.broken.Add(1)
		s.write(w, body[:half])
		panic(http.ErrAbortHandler)
	case f.stall:
		s.stats.broken.Add(1)
		s.write(w, body[:half])
		if s.pause(q.Request, max(s.faults.StallFor, time.Second)) {
			panic(http.ErrAbortHandler)
		}
		return
	case f.slow:
		for len(body) > 0 {
			n := min(len(body), max(len(body)/pieces, 64))
			s.write(w, body[:n])
			if body = body[n:]; !s.pause(q.Request, s.faults.SlowFor/pieces) {
				s.stats.broken.Add(1)
				return
			}
		}
	default:
		if _, err := w.Write(body); err != nil {
			s.stats.broken.Add(1)
			return
		}
	}
	s.stats.answered.Add(1)
}

// write sends bytes at once.
func (s *Server) write(w http.ResponseWriter, b []byte) {
	_, _ = w.Write(b) // a client that left is noticed by its context
	_ = http.NewResponseController(w).Flush()
}

func pack(body []byte) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a good one
	}
	_, _ = z.Write(body) // into memory
	_ = z.Close()
	return out.Bytes()
}

// spoil makes a body one that must not be believed, in one of several ways.
func spoil(body []byte, place float64) []byte {
	at := int(place * float64(len(body)))
	switch int(place*1000) % 4 {
	case 0: // ends too early, as if that were all
		return body[:at]
	case 1: // an error page
		return []byte("<html><body>502 Bad Gateway</body></html>")
	case 2: // another resource
		return []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception"}]}`)
	}
	return append(bytes.Clone(body), body[at:]...) // goes on after its end
}

func (s *Server) metadata(q *question) (answer, *refusal) {
	fhir := "3.0.2"
	if q.version == domain.R4 {
		fhir = "4.0.1"
	}
	return answer{body: []byte(`{"resourceType":"CapabilityStatement","name":"RestServer","status":"active","date":"2023-04-11","publisher":"Centers for Medicare & Medicaid Services","kind":"instance",` +
		`"software":{"name":"Stand-in for the Blue Button API: Direct","version":"0"},"fhirVersion":"` + fhir + `","format":["application/fhir+json","json"],` +
		`"rest":[{"mode":"server","resource":[{"type":"ExplanationOfBenefit","interaction":[{"code":"search-type"}]},{"type":"Patient","interaction":[{"code":"search-type"}]},{"type":"Coverage","interaction":[{"code":"search-type"}]}]}]}`)}, nil
}
