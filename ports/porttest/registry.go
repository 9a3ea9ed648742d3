package porttest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Registry runs the conformance suites of ports.Sponsors, ports.Contracts and
// ports.Clients.
func Registry(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"what is put comes back, and is replaced":  registryPut,
		"lists are in byte order":                  registryOrder,
		"what is not there is not_found":           registryNotFound,
		"what belongs to nothing there is refused": registryBelongs,
		"a client is changed by one at a time":     registryUpdate,
		"so is a sponsor, and so is a contract":    registryEdit,
		"when a client was let in and when not":    registryActivity,
	})
}

func registryUpdate(s storeTest) {
	s.parties()
	const many = 6
	for _, err := range atOnce(many, func(i int) error {
		return s.try(func(ctx context.Context, tx ports.Tx) error {
			return tx.Clients.Update(ctx, "client", func(c *domain.Client) error {
				c.Secrets = append(c.Secrets, domain.ClientSecret{ID: fmt.Sprint(i), Hash: []byte{byte(i)}, CreatedAt: instantAt(i)})
				return nil
			})
		})
	}) {
		if err != nil {
			s.Error(err)
		}
	}
	err := s.try(func(ctx context.Context, tx ports.Tx) error {
		s.refused(tx.Clients.Update(ctx, "none", func(*domain.Client) error { return nil }), domain.NotFound)
		err := tx.Clients.Update(ctx, "client", func(c *domain.Client) error {
			c.Name, c.Secrets = "Other", nil
			return errUndo
		})
		if !errors.Is(err, errUndo) {
			s.Errorf("the error is %v, want that of change", err)
		}
		return nil
	})
	if err != nil {
		s.Error(err)
	}
	s.view(func(ctx context.Context, tx ports.Tx) error {
		c, err := tx.Clients.Get(ctx, "client")
		if len(c.Secrets) != many || c.Name != "A Client" || !c.Enabled || len(c.Contracts) != 2 {
			s.Errorf("the client is %+v, want one with %d secrets", c, many)
		}
		return err
	})
}

func registryEdit(s storeTest) {
	s.parties()
	const many = 6
	for _, err := range atOnce(many, func(i int) error {
		return s.try(func(ctx context.Context, tx ports.Tx) error {
			if err := tx.Sponsors.Update(ctx, "sponsor", func(p *domain.Sponsor) error {
				p.Parent += "x"
				return nil
			}); err != nil {
				return err
			}
			return tx.Contracts.Update(ctx, "S0001", func(c *domain.Contract) error {
				c.Enrolled++
				return nil
			})
		})
	}) {
		if err != nil {
			s.Error(err)
		}
	}
	s.do(func(ctx context.Context, tx ports.Tx) error {
		s.refused(tx.Sponsors.Update(ctx, "none", func(*domain.Sponsor) error { return nil }), domain.NotFound)
		s.refused(tx.Contracts.Update(ctx, "S9999", func(*domain.Contract) error { return nil }), domain.NotFound)
		if err := tx.Sponsors.Update(ctx, "sponsor", func(p *domain.Sponsor) error { p.Name = "Other"; return errUndo }); !errors.Is(err, errUndo) {
			s.Errorf("the error is %v, want that of change", err)
		}
		if err := tx.Contracts.Update(ctx, "S0001", func(c *domain.Contract) error { c.Name = "Other"; return errUndo }); !errors.Is(err, errUndo) {
			s.Errorf("the error is %v, want that of change", err)
		}
		return nil
	})
	s.view(func(ctx context.Context, tx ports.Tx) error {
		p, err := tx.Sponsors.Get(ctx, "sponsor")
		if err != nil {
			return err
		}
		c, err := tx.Contracts.Get(ctx, "S0001")
		if p.Parent != strings.Repeat("x", many) || c.Enrolled != many || p.Name == "Other" || c.Name == "Other" {
			s.Errorf("there are %+v and %+v", p, c)
		}
		return err
	})
}

func registryActivity(s storeTest) {
	s.parties()
	from := netip.MustParseAddr("2001:db8::7")
	activity := func() (found map[domain.ClientID]domain.ClientActivity) {
		s.view(func(ctx context.Context, tx ports.Tx) (err error) {
			found, err = tx.Activity.Of(ctx, []domain.ClientID{"client", "none"})
			return err
		})
		return found
	}
	if got := activity(); len(got) != 0 {
		s.Errorf("of new clients there is %v", got)
	}
	var want domain.ClientActivity
	for i, used := range []bool{false, false, true, false, true, false, false, false} {
		at := instantAt(i)
		if want.LastFailed, want.Failures = at, want.Failures+1; used {
			want.LastUsed, want.LastFrom, want.Failures, want.LastFailed = at, from, 0, instantAt(i-1)
		}
		s.do(func(ctx context.Context, tx ports.Tx) error {
			if used {
				return tx.Activity.Used(ctx, "client", at, from)
			}
			return tx.Activity.Failed(ctx, "client", at)
		})
		if got := activity(); len(got) != 1 || got["client"] != want {
			s.Errorf("after %d the activity is %+v, want %+v", i, got, want)
		}
	}
}

func registryPut(s storeTest) {
	for _, n := range []int{1, 2} { // the second time it replaces
		sponsor := domain.Sponsor{ID: "s", Name: "Sponsor", Parent: "Parent", Updates: domain.Manual, Inactive: true, Merged: "t"}
		contract := domain.Contract{Number: "S0001", Name: "Contract", Sponsor: "s", Type: domain.SyntheaContract, Updates: domain.Manual, Listed: true, Ends: 2026_12_31, Enrolled: 12, Eligible: 11}
		client := domain.Client{ID: "c", Sponsor: "s", Name: "Client", Contracts: []domain.ContractNumber{"S0001"}, Enabled: true,
			Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}, CreatedAt: instantAt(1),
			Keys: domain.ClientKeys{URL: "https://example.com/jwks.json", Set: `{"keys":[]}`},
			Secrets: []domain.ClientSecret{{ID: "one", Hash: []byte{1, 0, 255}, CreatedAt: instantAt(1), ExpiresAt: instantAt(3)},
				{ID: "two", Hash: []byte{2}, CreatedAt: instantAt(2)}}}
		if n == 2 {
			sponsor, contract = domain.Sponsor{ID: "s", Name: "Other"}, domain.Contract{Number: "S0001", Name: "Other", Sponsor: "s"}
			client = domain.Client{ID: "c", Sponsor: "s", Name: "Other", CreatedAt: instantAt(2)}
		}
		s.do(func(ctx context.Context, tx ports.Tx) error {
			if err := tx.Sponsors.Put(ctx, sponsor); err != nil {
				return err
			}
			if err := tx.Contracts.Put(ctx, contract); err != nil {
				return err
			}
			return tx.Clients.Put(ctx, client)
		})
		s.view(func(ctx context.Context, tx ports.Tx) error {
			if got, err := tx.Sponsors.Get(ctx, "s"); got != sponsor || err != nil {
				s.Errorf("the sponsor is %+v, %v", got, err)
			}
			if got, err := tx.Contracts.Get(ctx, "S0001"); got != contract || err != nil {
				s.Errorf("the contract is %+v, %v", got, err)
			}
			if got, err := tx.Clients.Get(ctx, "c"); !reflect.DeepEqual(got, client) || err != nil {
				s.Errorf("the client is %+v, %v", got, err)
			}
			return nil
		})
	}
}

func registryOrder(s storeTest) {
	// In the order of bytes: capitals come before small letters.
	names := []string{"A1", "B", "Z", "_", "a0", "b", "ä"}
	s.do(func(ctx context.Context, tx ports.Tx) error {
		for i := range names {
			name := names[(i*5+3)%len(names)]
			if err := tx.Sponsors.Put(ctx, domain.Sponsor{ID: domain.SponsorID(name)}); err != nil {
				return err
			}
			if err := tx.Contracts.Put(ctx, domain.Contract{Number: domain.ContractNumber(name), Sponsor: domain.SponsorID(name)}); err != nil {
				return err
			}
			if err := tx.Clients.Put(ctx, domain.Client{ID: domain.ClientID(name), Sponsor: domain.SponsorID(name), CreatedAt: instantAt(i)}); err != nil {
				return err
			}
		}
		return nil
	})
	s.view(func(ctx context.Context, tx ports.Tx) error {
		sponsors, err := tx.Sponsors.List(ctx)
		if err != nil {
			return err
		}
		contracts, err := tx.Contracts.List(ctx)
		if err != nil {
			return err
		}
		clients, err := tx.Clients.List(ctx)
		if err != nil {
			return err
		}
		if len(sponsors) != len(names) || len(contracts) != len(names) || len(clients) != len(names) {
			s.Fatalf("there are %d sponsors, %d contracts and %d clients, want %d", len(sponsors), len(contracts), len(clients), len(names))
		}
		for i, want := range names {
			if string(sponsors[i].ID) != want || string(contracts[i].Number) != want || string(clients[i].ID) != want {
				s.Errorf("at %d are %s, %s and %s, want %s", i, sponsors[i].ID, contracts[i].Number, clients[i].ID, want)
			}
		}
		return nil
	})
}

func registryNotFound(s storeTest) {
	s.view(func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Sponsors.Get(ctx, "none")
		s.refused(err, domain.NotFound)
		_, err = tx.Contracts.Get(ctx, "S9999")
		s.refused(err, domain.NotFound)
		_, err = tx.Clients.Get(ctx, "none")
		s.refused(err, domain.NotFound)
		return nil
	})
}

func registryBelongs(s storeTest) {
	s.parties()
	for what, put := range map[string]func(context.Context, ports.Tx) error{
		"a contract without its sponsor": func(ctx context.Context, tx ports.Tx) error {
			return tx.Contracts.Put(ctx, domain.Contract{Number: "S0009", Sponsor: "none"})
		},
		"a client without its sponsor": func(ctx context.Context, tx ports.Tx) error {
			return tx.Clients.Put(ctx, domain.Client{ID: "new", Sponsor: "none"})
		},
		"a client without its contract": func(ctx context.Context, tx ports.Tx) error {
			return tx.Clients.Put(ctx, domain.Client{ID: "new", Sponsor: "sponsor", Contracts: []domain.ContractNumber{"S0001", "S0009"}})
		},
	} {
		if err := s.try(put); err == nil {
			s.Errorf("%s was kept", what)
		}
	}
}

// Attestations runs the conformance suite of ports.Attestations.
func Attestations(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"events come back whole, in the order recorded": eventsWhole,
		"an event that is there is a conflict":          eventsConflict,
	})
}

func (s storeTest) append(events ...domain.AttestationEvent) error {
	return s.try(func(ctx context.Context, tx ports.Tx) error {
		for _, e := range events {
			if err := tx.Attestations.Append(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s storeTest) events(n domain.ContractNumber) (events []domain.AttestationEvent) {
	s.Helper()
	s.view(func(ctx context.Context, tx ports.Tx) (err error) {
		events, err = tx.Attestations.Of(ctx, n)
		return err
	})
	return events
}

func eventsWhole(s storeTest) {
	s.parties()
	want := []domain.AttestationEvent{
		{ID: "z", Contract: "S0001", Kind: domain.Attest, Attestor: domain.Attestor{Name: "A. Name", Office: "CEO"}, Effective: 2020_02_29, DataStart: 2020_01_31,
			Recorded: instantAt(1), Source: "staff", Actor: domain.Actor{Kind: "staff", ID: "x", From: "10.0.0.1"}, Reason: "a letter"},
		{ID: "b", Contract: "S0001", Kind: domain.EndUnknown, Effective: 2019_01_01, Recorded: instantAt(2), Source: "hpms", Actor: domain.System("hpms")},
		{ID: "a", Contract: "S0001", Kind: domain.Correct, Corrects: "b", CorrectedKind: domain.Lapse, Effective: 2021_01_01, Recorded: instantAt(2), Source: "staff"},
	}
	if err := s.append(want...); err != nil {
		s.Fatal(err)
	}
	if err := s.append(domain.AttestationEvent{ID: "other", Contract: "S0002", Kind: domain.Attest, Recorded: instantAt(0)}); err != nil {
		s.Fatal(err)
	}
	if got := s.events("S0001"); !reflect.DeepEqual(got, want) {
		s.Errorf("the events are\n%+v\nwant\n%+v", got, want)
	}
	if got := s.events("S0003"); len(got) != 0 {
		s.Errorf("another contract has %d events", len(got))
	}
	s.view(func(ctx context.Context, tx ports.Tx) error {
		all, err := tx.Attestations.All(ctx)
		if !reflect.DeepEqual(all["S0001"], want) || len(all["S0002"]) != 1 || len(all) != 2 {
			s.Errorf("the events of all contracts are\n%+v", all)
		}
		return err
	})
}

func eventsConflict(s storeTest) {
	s.parties()
	first := domain.AttestationEvent{ID: "e", Contract: "S0001", Kind: domain.Attest, Recorded: instantAt(1)}
	if err := s.append(first); err != nil {
		s.Fatal(err)
	}
	s.do(func(ctx context.Context, tx ports.Tx) error {
		s.refused(tx.Attestations.Append(ctx, domain.AttestationEvent{ID: "e", Contract: "S0002", Kind: domain.Lapse, Recorded: instantAt(2)}), domain.Conflict)
		// Who brings the same events again goes on with the next.
		return tx.Attestations.Append(ctx, domain.AttestationEvent{ID: "f", Contract: "S0001", Kind: domain.Lapse, Recorded: instantAt(3)})
	})
	if got := s.events("S0001"); len(got) != 2 || got[0].Kind != domain.Attest || got[1].ID != "f" {
		s.Errorf("the events are %+v", got)
	}
}
