package porttest

import (
	"context"
	"reflect"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Audit runs the conformance suites of ports.Audit and ports.AuditLog.
func Audit(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){"records are found, the latest first": auditFind})
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
