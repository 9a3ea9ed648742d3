package porttest

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Audit runs the conformance suites of ports.Audit and ports.AuditLog.
func Audit(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"records are found, the latest first": auditFind,
		"records are searched":                auditSearch,
	})
}

func auditFind(s storeTest) {
	actor := domain.Actor{Kind: "client", ID: "c", From: "192.0.2.1"}
	records := []domain.AuditRecord{
		{At: instantAt(0), Actor: actor, Action: "export.start", Target: "job-1", Outcome: "done", Detail: map[string]string{"contract": "S0001"}},
		{At: instantAt(2), Actor: actor, Action: "export.start", Target: "job-2", Outcome: "throttled"},
		{At: instantAt(1), Actor: domain.System("retention"), Action: "export.expire", Target: "job-1", Outcome: "done"},
		{At: instantAt(2), Actor: actor, Action: "file.download", Target: "job-1", Outcome: "done"},
	}
	for _, r := range records {
		s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Audit.Record(ctx, r) })
	}
	for _, part := range []struct {
		action, target string
		limit          int
		want           []int
	}{
		{"", "", 10, []int{3, 1, 2, 0}},
		{"", "", 2, []int{3, 1}},
		{"export.start", "", 10, []int{1, 0}},
		{"", "job-1", 10, []int{3, 2, 0}},
		{"export.start", "job-1", 10, []int{0}},
		{"export.start", "job-9", 10, nil},
	} {
		got, err := s.store.Find(s.Context(), part.action, part.target, part.limit)
		if err != nil {
			s.Fatal(err)
		}
		want := make([]domain.AuditRecord, len(part.want))
		for i, n := range part.want {
			want[i] = records[n]
		}
		if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			s.Errorf("found for action %q and target %q:\n%+v\nwant\n%+v", part.action, part.target, got, want)
		}
	}
}

func auditSearch(s storeTest) {
	dana := domain.Actor{Kind: "staff", ID: "dana", From: "192.0.2.1"}
	for i, r := range []domain.AuditRecord{
		{Actor: dana, Action: "export.start", Target: "job-1", Outcome: "done", Detail: map[string]string{"reason": "asked for"}},
		{Actor: dana, Action: "export.cancel", Target: "job-1", Outcome: "forbidden"},
		{Actor: domain.System("x"), Action: "file.download", Target: "job-1/S0001_0001.ndjson", Outcome: "done"},
		{Actor: domain.System("x"), Action: "export.start", Target: "job-10", Outcome: "repeated"},
	} {
		r.At = instantAt(i)
		s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Audit.Record(ctx, r) })
	}
	search := func(q ports.AuditQuery) (at []int, entries []ports.AuditEntry) {
		entries, err := s.store.Search(s.Context(), q)
		if err != nil {
			s.Fatal(err)
		}
		for _, e := range entries {
			at = append(at, int(e.At.Sub(instantAt(0)).Minutes()))
		}
		return at, entries
	}
	for _, part := range []struct {
		q    ports.AuditQuery
		want []int
	}{
		{ports.AuditQuery{}, []int{3, 2, 1, 0}},
		{ports.AuditQuery{Limit: 2}, []int{3, 2}},
		{ports.AuditQuery{Actor: "dana"}, []int{1, 0}},
		{ports.AuditQuery{Action: "export."}, []int{3, 1, 0}},
		{ports.AuditQuery{Action: "export.start"}, []int{3, 0}},
		{ports.AuditQuery{Target: "job-1"}, []int{2, 1, 0}},
		{ports.AuditQuery{Outcome: "refused"}, []int{1}},
		{ports.AuditQuery{Outcome: "done", Target: "job-1"}, []int{2, 0}},
		{ports.AuditQuery{From: instantAt(1), To: instantAt(3)}, []int{2, 1}},
		{ports.AuditQuery{Target: "job"}, nil},
	} {
		if got, _ := search(part.q); !slices.Equal(got, part.want) {
			s.Errorf("%+v found %v, want %v", part.q, got, part.want)
		}
	}
	_, first := search(ports.AuditQuery{Limit: 2})
	if got, _ := search(ports.AuditQuery{Before: first[1].Number}); !slices.Equal(got, []int{1, 0}) {
		s.Errorf("the second page is %v", got)
	}
	if _, all := search(ports.AuditQuery{Action: "export.start"}); all[1].Actor != dana || all[1].Detail["reason"] != "asked for" {
		s.Errorf("a record lost something: %+v", all[1])
	}
}
