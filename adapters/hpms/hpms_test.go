package hpms_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/hpms"
	"cms.gov/ab2d/adapters/hpmsmock"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports/porttest"
)

const key, secret = "key", "secret"

func fixed(s string) func() (string, error) { return func() (string, error) { return s, nil } }

// rows is a list as the stand-in keeps it.
func rows(listed []domain.ListedContract) (list []hpmsmock.Contract) {
	day := func(d domain.Date) string {
		if d.IsZero() {
			return ""
		}
		return d.String() + " 00:00:00"
	}
	for _, l := range listed {
		c := hpmsmock.Contract{ContractID: string(l.Number), ContractName: l.Name, ParentOrgName: l.ParentName, Attested: l.Attested,
			AttestationDate: day(l.Since), EndDate: day(l.Ends), TotalEnrollment: l.Enrolled, MedicareEligible: l.Eligible}
		_, _ = fmt.Sscan(l.ParentID, &c.ParentOrgID)
		list = append(list, c)
	}
	return list
}

// serve runs a stand-in until the test ends and returns a client of it.
func serve(t *testing.T, list func() ([]hpmsmock.Contract, error), life time.Duration, f hpmsmock.Faults) (*hpms.Client, *hpmsmock.Server) {
	t.Helper()
	s := hpmsmock.New(list, key, func() string { return secret }, life, f)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return hpms.New(hpms.Settings{URL: server.URL + "/", KeyID: key, Secret: fixed(secret), Batch: 3, Tries: 8, Backoff: time.Millisecond}), s
}

func TestConformance(t *testing.T) {
	porttest.Listing(t, func(t *testing.T, listed []domain.ListedContract) porttest.ListingHarness {
		var broken atomic.Bool
		client, _ := serve(t, func() ([]hpmsmock.Contract, error) {
			if broken.Load() {
				return nil, errors.New("broken")
			}
			return rows(listed), nil
		}, time.Hour, hpmsmock.Faults{})
		return porttest.ListingHarness{Listing: client, Break: func() { broken.Store(true) }}
	})
}

func some(n int) (listed []domain.ListedContract) {
	for i := range n {
		listed = append(listed, domain.ListedContract{Number: domain.ContractNumber(fmt.Sprintf("S%04d", i)), Name: "Plan", ParentID: "7", ParentName: "Org",
			Known: true, Attested: i%2 == 0, Since: 2020_03_01, Enrolled: 10, Eligible: 9})
	}
	return listed
}

// Over a server that fails in every way that can be noticed, the list is whole
// or an error: never a part of it.
func TestAListIsWholeOrAnError(t *testing.T) {
	listed := some(20)
	client, server := serve(t, func() ([]hpmsmock.Contract, error) { return rows(listed), nil }, time.Hour,
		hpmsmock.Faults{Seed: 7, Error: 0.2, Throttle: 0.1, Nothing: 0.1, Malformed: 0.1, Cut: 0.1})
	whole := 0
	for range 30 {
		got, err := client.Contracts(t.Context())
		if err != nil {
			if domain.CodeOf(err) != domain.Unavailable {
				t.Errorf("%v is not told as what may pass", err)
			}
			continue
		}
		whole++
		for i := range got {
			got[i].Enrolled, got[i].Eligible = 10, 9 // may be missing
		}
		if !slices.Equal(got, listed) {
			t.Fatalf("got %+v", got)
		}
		server.Forget() // the next has to sign in again
	}
	if whole == 0 {
		t.Error("nothing ever came through")
	}
}

func TestSignsInAgainWhenTheTokenEnds(t *testing.T) {
	listed := some(2)
	over, _ := serve(t, func() ([]hpmsmock.Contract, error) { return rows(listed), nil }, 0, hpmsmock.Faults{})
	// Each token is over at once, so the server refuses it.
	if _, err := over.Contracts(t.Context()); err == nil {
		t.Error("a token that is over was taken")
	}
	client, server := serve(t, func() ([]hpmsmock.Contract, error) { return rows(listed), nil }, time.Hour, hpmsmock.Faults{})
	for range 2 {
		if got, err := client.Contracts(t.Context()); err != nil || len(got) != 2 {
			t.Errorf("%v, %v", got, err)
		}
		server.Forget()
	}
}

func TestTheSecretIsReadAgain(t *testing.T) {
	current := "old"
	s := hpmsmock.New(func() ([]hpmsmock.Contract, error) { return rows(some(1)), nil }, key, func() string { return current }, time.Hour, hpmsmock.Faults{})
	server := httptest.NewServer(s)
	defer server.Close()
	ours := "old"
	client := hpms.New(hpms.Settings{URL: server.URL, KeyID: key, Secret: func() (string, error) { return ours + "\n", nil }, Tries: 1})
	if _, err := client.Contracts(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Forget()
	current = "new"
	if _, err := client.Contracts(t.Context()); err == nil {
		t.Error("the old secret still opens")
	}
	ours = "new"
	if _, err := client.Contracts(t.Context()); err != nil {
		t.Errorf("with the new secret: %v", err)
	}
}

func TestWhatContradictsItselfIsAnError(t *testing.T) {
	twice := rows(some(2))
	twice = append(twice, twice[0])
	twice[2].ContractName = "Another"
	odd := rows(some(1))
	odd[0].ContractID = "../S1"
	noDay := rows(some(1))
	noDay[0].AttestationDate = "last week"
	for what, list := range map[string][]hpmsmock.Contract{"listed twice": twice, "no contract number": odd, "no date": noDay} {
		client, _ := serve(t, func() ([]hpmsmock.Contract, error) { return list, nil }, time.Hour, hpmsmock.Faults{})
		if got, err := client.Contracts(t.Context()); err == nil {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

// A contract of which HPMS does not say how it stands is not one that is not attested.
func TestSilenceIsNotAnAnswer(t *testing.T) {
	client, _ := serve(t, func() ([]hpmsmock.Contract, error) { return rows(some(4)), nil }, time.Hour, hpmsmock.Faults{Silent: 1})
	got, err := client.Contracts(t.Context())
	if err != nil || len(got) != 4 {
		t.Fatalf("%v, %v", got, err)
	}
	for _, l := range got {
		if l.Known || l.Attested {
			t.Errorf("%+v", l)
		}
	}
}
