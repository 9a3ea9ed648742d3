// Package bfdenrollment asks CMS's Beneficiary FHIR Data server who is enrolled
// in a Part D contract in a month: its Patient search by contract, a page at a
// time.
package bfdenrollment

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Settings say where BFD is and how it is asked.
type Settings struct {
	URL     string            // its base, as https://prod.bfd.cms.gov
	Client  http.RoundTripper // makes the connections: TLS and our certificate are its matter; nil for the default
	Count   int               // people of a page; 0 for 4000
	Timeout time.Duration     // of one page; 0 for two minutes
	Now     func() time.Time  // nil for time.Now
}

// Source implements ports.Enrollment. It is safe for concurrent use.
type Source struct {
	settings Settings
	http     *http.Client
}

// New returns a source.
func New(s Settings) *Source {
	s.Count, s.Timeout = cmp.Or(s.Count, 4000), cmp.Or(s.Timeout, 2*time.Minute)
	s.URL = strings.TrimRight(s.URL, "/")
	if s.Now == nil {
		s.Now = time.Now
	}
	return &Source{s, &http.Client{Transport: s.Client, Timeout: s.Timeout}}
}

// The names of BFD's interface.
const (
	variables = "https://bluebutton.cms.gov/resources/variables/"
	currency  = "https://bluebutton.cms.gov/resources/codesystem/identifier-currency"
	mbiSystem = "http://hl7.org/fhir/sid/us-mbi"
	yearField = variables + "rfrnc_yr"
)

// Page implements ports.Enrollment. The cursor is BFD's: the last id of the page
// before.
func (s *Source) Page(ctx context.Context, n domain.ContractNumber, m domain.Month, cursor string) (ports.EnrollmentPage, error) {
	first := m.First()
	query := url.Values{
		"_has:Coverage.extension": {fmt.Sprintf("%sptdcntrct%s|%s", variables, first.String()[5:7], n)},
		"_has:Coverage.rfrncyr":   {fmt.Sprintf("%s|%04d", yearField, first.Year())},
		"_count":                  {strconv.Itoa(s.settings.Count)},
	}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.settings.URL+"/v1/fhir/Patient?"+query.Encode(), nil)
	if err != nil {
		return ports.EnrollmentPage{}, err
	}
	req.Header.Set("Accept", "application/fhir+json")
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("IncludeIdentifiers", "mbi")
	req.Header.Set("BULK-CLIENTID", string(n))
	req.Header.Set("BULK-JOBID", "enrollment")
	res, err := s.http.Do(req)
	if err != nil {
		return ports.EnrollmentPage{}, domain.Errorf(domain.Unavailable, "BFD does not answer").Because(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return ports.EnrollmentPage{}, refusal(res)
	}
	// What is no whole Bundle now may be one the next time.
	body, err := plain(res)
	if err != nil {
		return ports.EnrollmentPage{}, domain.Errorf(domain.Unavailable, "BFD's answer about enrollment cannot be used").Because(err)
	}
	page, err := s.read(body, first.Year())
	if err != nil {
		return ports.EnrollmentPage{}, domain.Errorf(domain.Unavailable, "BFD's answer about enrollment cannot be used").Because(err)
	}
	return page, nil
}

func plain(res *http.Response) (io.Reader, error) {
	if res.Header.Get("Content-Encoding") != "gzip" {
		return res.Body, nil
	}
	return gzip.NewReader(res.Body)
}

// refusal tells what may pass from what will not.
func refusal(res *http.Response) error {
	code := domain.Invalid
	if res.StatusCode >= 500 || slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests}, res.StatusCode) {
		code = domain.Unavailable
	}
	err := domain.Errorf(code, "BFD answers %d about enrollment", res.StatusCode)
	if seconds, parseErr := strconv.Atoi(res.Header.Get("Retry-After")); parseErr == nil {
		err.RetryAfter = time.Duration(seconds) * time.Second
	}
	return err
}

// read goes through a Bundle once and keeps of each person the ids alone.
func (s *Source) read(body io.Reader, year int) (page ports.EnrollmentPage, err error) {
	d := json.NewDecoder(body)
	kind, ended := "", false
	err = object(d, func(name string) error {
		switch name {
		case "resourceType":
			return d.Decode(&kind)
		case "link":
			var links []link
			if err := d.Decode(&links); err != nil {
				return err
			}
			ended = true
			page.Next, err = nextOf(links)
			return err
		case "entry":
			return array(d, func() error {
				var e entry
				if err := d.Decode(&e); err != nil {
					return err
				}
				if e.Resource.Type != "Patient" || e.Resource.ID == "" {
					return fmt.Errorf("an entry is a %q without an id, or no Patient", e.Resource.Type)
				}
				if e.Resource.year() >= year {
					page.People = append(page.People, ports.EnrolledPerson{Patient: domain.PatientID(e.Resource.ID), IDs: s.identifiers(e.Resource.Identifiers)})
				}
				return nil
			})
		}
		return d.Decode(new(json.RawMessage))
	})
	if err != nil {
		return page, err
	}
	if kind != "Bundle" || !ended {
		return page, fmt.Errorf("it is a %q without links, or no Bundle", kind)
	}
	return page, nil
}

// object goes through the members of an object.
func object(d *json.Decoder, member func(name string) error) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return cmp.Or(err, errors.New("it is no object"))
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		if err := member(t.(string)); err != nil { // within an object, at the place of a name, it always is one
			return err
		}
	}
	_, err := d.Token()
	return err
}

func array(d *json.Decoder, element func() error) error {
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return cmp.Or(err, errors.New("entry is no array"))
	}
	for d.More() {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

type link struct {
	Relation string `json:"relation"`
	URL      string `json:"url"`
}

// nextOf returns the cursor of the next page. Only that is taken from the link:
// the address is ours.
func nextOf(links []link) (string, error) {
	for _, l := range links {
		if l.Relation != "next" {
			continue
		}
		u, err := url.Parse(l.URL)
		if err != nil {
			return "", errors.New("the link to the next page cannot be read")
		}
		if cursor := u.Query().Get("cursor"); cursor != "" {
			return cursor, nil
		}
		return "", errors.New("the link to the next page has no cursor")
	}
	return "", nil
}

type entry struct {
	Resource patient `json:"resource"`
}

type patient struct {
	Type        string       `json:"resourceType"`
	ID          string       `json:"id"`
	Extensions  []extension  `json:"extension"`
	Identifiers []identifier `json:"identifier"`
}

type extension struct {
	URL    string `json:"url"`
	Date   string `json:"valueDate"`
	Coding coding `json:"valueCoding"`
}

type coding struct {
	Code       string      `json:"code"`
	Extensions []extension `json:"extension"`
}

type identifier struct {
	System     string      `json:"system"`
	Value      string      `json:"value"`
	Extensions []extension `json:"extension"`
	Type       struct {
		Coding []coding `json:"coding"`
	} `json:"type"`
	Period struct {
		End string `json:"end"`
	} `json:"period"`
}

// year is the latest reference year that BFD has of the person. One before the
// year asked for is of somebody who is not enrolled in it, which AB2D passes
// over too; a person without any is taken at BFD's word.
func (p *patient) year() int {
	for _, e := range p.Extensions {
		if e.URL == yearField {
			if y, err := strconv.Atoi(strings.SplitN(e.Date, "-", 2)[0]); err == nil {
				return y
			}
		}
	}
	return 9999
}

// identifiers sorts the MBIs. STU3 says on the identifier which is current, R4 on
// its type; where neither does, one whose period is over is historic. Of several
// current ones the first counts.
func (s *Source) identifiers(all []identifier) (ids domain.Identifiers) {
	for _, id := range all {
		if id.System != mbiSystem || id.Value == "" {
			continue
		}
		mbi := domain.MBI(id.Value)
		if ids.Current == "" && id.current(s.settings.Now()) {
			ids.Current = mbi
		} else if !slices.Contains(ids.Historic, mbi) {
			ids.Historic = append(ids.Historic, mbi)
		}
	}
	ids.Historic = slices.DeleteFunc(ids.Historic, func(mbi domain.MBI) bool { return mbi == ids.Current })
	return ids
}

func (id *identifier) current(now time.Time) bool {
	marks := slices.Clone(id.Extensions)
	for _, c := range id.Type.Coding {
		marks = append(marks, c.Extensions...)
	}
	for _, e := range marks {
		if e.URL == currency {
			return e.Coding.Code == "current"
		}
	}
	end, err := domain.ParseDate(id.Period.End)
	return err != nil || end >= domain.Today(now)
}
