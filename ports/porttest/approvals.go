package porttest

import (
	"context"
	"reflect"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Approvals runs the conformance suites of ports.Approvals, ports.Onboardings and
// ports.OneTimeLinks.
func Approvals(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"a request is kept, decided and found": approvalsKept,
		"nobody approves what they asked for":  approvalsByTwo,
		"an onboarding is kept and replaced":   onboardingKept,
		"a link is taken once":                 linkTakenOnce,
	})
}

func approval(id string, minute int) domain.Approval {
	return domain.Approval{ID: id, Action: domain.PairRevoke, Does: "attestation.lapse", Target: "S0001", Needs: domain.MayManageContracts, Says: "a lapse",
		Request: map[string]string{"change": "{}"}, Reason: domain.Reason{Text: "asked for by letter", Ticket: "T-1"}, By: domain.Staff{ID: "mia", Name: "Mia", Roles: []domain.Role{domain.AttestationManager}, From: "192.0.2.1", Request: "r"},
		AskedAt: instantAt(minute), EndsAt: instantAt(minute + 10), State: domain.ApprovalWaiting}
}

func (s storeTest) approval(id string) (a domain.Approval, err error) {
	s.view(func(ctx context.Context, tx ports.Tx) error {
		a, err = tx.Approvals.Get(ctx, id)
		return nil
	})
	return a, err
}

func approvalsKept(s storeTest) {
	a, b := approval("a", 1), approval("b", 2)
	for _, x := range []domain.Approval{a, b} {
		s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Approvals.Put(ctx, x) })
	}
	if err := a.Decide(domain.ApprovalGiven, domain.Staff{ID: "kim", Name: "Kim"}, instantAt(3), "it is so"); err != nil {
		s.Fatal(err)
	}
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Approvals.Put(ctx, a) })
	if got, err := s.approval("a"); err != nil || !reflect.DeepEqual(got, a) {
		s.Errorf("the request is %+v, %v, want %+v", got, err, a)
	}
	_, err := s.approval("none")
	s.refused(err, domain.NotFound)
	for state, want := range map[domain.ApprovalState]string{"": "ba", domain.ApprovalWaiting: "b", domain.ApprovalGiven: "a", domain.ApprovalDenied: ""} {
		got := ""
		s.view(func(ctx context.Context, tx ports.Tx) error {
			found, err := tx.Approvals.Find(ctx, state, 10)
			for _, x := range found {
				got += x.ID
			}
			return err
		})
		if got != want {
			s.Errorf("in state %q are %q, want %q", state, got, want)
		}
	}
}

func approvalsByTwo(s storeTest) {
	a := approval("a", 1)
	a.State, a.DecidedBy = domain.ApprovalGiven, a.By
	if err := s.try(func(ctx context.Context, tx ports.Tx) error { return tx.Approvals.Put(ctx, a) }); err == nil {
		s.Error("one person approved what they asked for")
	}
	a.State = domain.ApprovalDenied // who asked may think better of it
	if err := s.try(func(ctx context.Context, tx ports.Tx) error { return tx.Approvals.Put(ctx, a) }); err != nil {
		s.Error(err)
	}
}

func onboardingKept(s storeTest) {
	get := func() (o domain.Onboarding) {
		s.view(func(ctx context.Context, tx ports.Tx) (err error) {
			o, err = tx.Onboardings.Get(ctx, "S0001")
			return err
		})
		return o
	}
	if o := get(); o != (domain.Onboarding{Contract: "S0001"}) {
		s.Errorf("before anything there is %+v", o)
	}
	for _, o := range []domain.Onboarding{
		{Contract: "S0001", Specialist: domain.Specialist{Name: "Ann", Email: "ann@example.com"}},
		{Contract: "S0001", Sandbox: domain.SandboxExport{Job: jobID(1), At: instantAt(1), By: "mia"}, Override: domain.Override{Reason: "it had to be", At: instantAt(2), By: "kim"}},
	} {
		s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Onboardings.Put(ctx, o) })
		if got := get(); got != o {
			s.Errorf("kept %+v, found %+v", o, got)
		}
	}
	s.do(func(ctx context.Context, tx ports.Tx) error {
		return tx.Onboardings.Put(ctx, domain.Onboarding{Contract: "A0001", Sandbox: domain.SandboxExport{Job: jobID(2), Elsewhere: true}})
	})
	s.view(func(ctx context.Context, tx ports.Tx) error {
		all, err := tx.Onboardings.List(ctx)
		if len(all) != 2 || all[0].Contract != "A0001" || !all[0].Sandbox.Elsewhere || all[1].Contract != "S0001" {
			s.Errorf("listed are %+v", all)
		}
		return err
	})
}

func linkTakenOnce(s storeTest) {
	put := func(id string, minute int) {
		s.do(func(ctx context.Context, tx ports.Tx) error {
			return tx.OneTimeLinks.Put(ctx, domain.OneTimeLink{ID: id, Client: "client", Sealed: []byte{1, 2}, EndsAt: instantAt(minute)}, instantAt(0))
		})
	}
	take := func(id string, minute int) (l domain.OneTimeLink, err error) {
		failed := s.try(func(ctx context.Context, tx ports.Tx) error {
			l, err = tx.OneTimeLinks.Take(ctx, id, instantAt(minute))
			return err
		})
		return l, failed
	}
	put("a", 10)
	put("b", 10)
	_, err := take("b", 10)
	s.refused(err, domain.NotFound) // it ended then
	if l, err := take("a", 9); err != nil || l.Client != "client" || len(l.Sealed) != 2 || !l.EndsAt.Equal(instantAt(10)) {
		s.Errorf("took %+v, %v", l, err)
	}
	_, err = take("a", 9)
	s.refused(err, domain.NotFound)
	put("c", 10)
	won := 0
	for _, err := range atOnce(4, func(int) error { _, err := take("c", 1); return err }) {
		if err == nil {
			won++
		}
	}
	if won != 1 {
		s.Errorf("%d of those who took a link at once had it", won)
	}
}
