package porttest

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// PeopleSource is a source to be tested and what the suite has to know of it.
type PeopleSource struct {
	Source   ports.People
	Claims   ports.Claims // the same source's claims, which say what it is complete through
	Versions []domain.FHIRVersion
	Contract domain.ContractNumber // of the people
	Patients []domain.PatientID    // at least two who are known, each with a Patient and coverage
	Stranger domain.PatientID
}

// People runs the conformance suite of ports.People.
func People(t *testing.T, create func(t *testing.T) PeopleSource) {
	for name, test := range map[string]func(*testing.T, PeopleSource){
		"a person has one Patient, and coverage": peopleRecords,
		"only what was asked for comes":          peopleTypes,
		"asking again gives the same":            peopleAgain,
		"a stranger has none or is not found":    peopleStranger,
		"an ended context is obeyed":             peopleCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, create(t))
		})
	}
}

func (s PeopleSource) ask(t *testing.T, v domain.FHIRVersion, p domain.PatientID, types ...domain.ResourceType) ports.Records {
	t.Helper()
	r, err := s.Source.Records(t.Context(), ports.PeopleQuery{Version: v, Patient: p, Types: types, Contract: s.Contract})
	if err != nil {
		t.Fatalf("Records of %s: %v", p, err)
	}
	return r
}

// typesOf returns the types of resources, after looking at whose they are.
func typesOf(t *testing.T, r ports.Records, p domain.PatientID) (all []domain.ResourceType) {
	t.Helper()
	for _, raw := range r.Resources {
		var head struct {
			ResourceType domain.ResourceType
			ID           string
			Beneficiary  struct{ Reference string }
		}
		if err := json.Unmarshal(raw, &head); err != nil {
			t.Fatalf("a record of %s is not JSON: %v", p, err)
		}
		owner := head.Beneficiary.Reference
		if head.ResourceType == domain.Patient {
			owner = "Patient/" + head.ID
		}
		if owner != "Patient/"+string(p) {
			t.Errorf("asked for %s came a %s of %s", p, head.ResourceType, owner)
		}
		all = append(all, head.ResourceType)
	}
	return all
}

func peopleRecords(t *testing.T, s PeopleSource) {
	complete, err := s.Claims.CompleteThrough(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range s.Versions {
		for _, p := range s.Patients {
			r := s.ask(t, v, p, domain.Patient, domain.Coverage)
			got := typesOf(t, r, p)
			if len(got) < 2 || got[0] != domain.Patient || slices.ContainsFunc(got[1:], func(k domain.ResourceType) bool { return k != domain.Coverage }) {
				t.Errorf("%s of %s: %v", v, p, got)
			}
			if r.AsOf.Before(complete) {
				t.Errorf("%s of %s stands as of %s, and the source vouched for %s", v, p, r.AsOf, complete)
			}
		}
	}
}

func peopleTypes(t *testing.T, s PeopleSource) {
	for _, want := range []domain.ResourceType{domain.Patient, domain.Coverage} {
		got := typesOf(t, s.ask(t, s.Versions[0], s.Patients[0], want), s.Patients[0])
		if len(got) == 0 || slices.ContainsFunc(got, func(k domain.ResourceType) bool { return k != want }) {
			t.Errorf("asked for %s came %v", want, got)
		}
	}
}

func peopleAgain(t *testing.T, s PeopleSource) {
	first := map[domain.PatientID]ports.Records{}
	for _, p := range s.Patients {
		first[p] = s.ask(t, s.Versions[0], p, domain.Patient, domain.Coverage)
	}
	var all sync.WaitGroup
	for range 4 {
		for _, p := range s.Patients {
			all.Go(func() {
				if again := s.ask(t, s.Versions[0], p, domain.Patient, domain.Coverage); !reflect.DeepEqual(again.Resources, first[p].Resources) {
					t.Errorf("%s has other records when asked again", p)
				}
			})
		}
	}
	all.Wait()
}

func peopleStranger(t *testing.T, s PeopleSource) {
	r, err := s.Source.Records(t.Context(), ports.PeopleQuery{Version: s.Versions[0], Patient: s.Stranger, Types: []domain.ResourceType{domain.Patient, domain.Coverage}, Contract: s.Contract})
	if len(r.Resources) > 0 || err != nil && domain.CodeOf(err) != domain.NotFound {
		t.Errorf("a stranger has %d records, %v", len(r.Resources), err)
	}
}

func peopleCancelled(t *testing.T, s PeopleSource) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Source.Records(ctx, ports.PeopleQuery{Version: s.Versions[0], Patient: s.Patients[0], Types: []domain.ResourceType{domain.Patient}, Contract: s.Contract})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}
