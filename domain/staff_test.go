package domain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
)

func TestEveryPermissionIsGrantedToAdminsAndToNobodyUnknown(t *testing.T) {
	for _, p := range domain.Permissions() {
		if !(domain.Staff{Roles: []domain.Role{domain.Admin}}).May(p) {
			t.Errorf("an admin may not %s", p)
		}
		if (domain.Staff{Roles: []domain.Role{"root", ""}}).May(p) || (domain.Staff{}).May(p) {
			t.Errorf("somebody without a role may %s", p)
		}
	}
	if (domain.Staff{Roles: domain.Roles}).May("jobs.delete") {
		t.Error("a permission that does not exist is granted")
	}
}

// The matrix of the console's specification, so that no grant slips in.
func TestWhatEachRoleMayDo(t *testing.T) {
	want := map[domain.Role][]domain.Permission{
		domain.Viewer:             {domain.MaySee},
		domain.Operator:           {domain.MaySee, domain.MayRunJobs, domain.MayManageClients},
		domain.AttestationManager: {domain.MaySee, domain.MayManageContracts},
		domain.Auditor:            {domain.MaySee, domain.MayReadAudit},
		domain.Admin:              domain.Permissions(),
	}
	for role, may := range want {
		for _, p := range domain.Permissions() {
			if got := (domain.Staff{Roles: []domain.Role{role}}).May(p); got != slices.Contains(may, p) {
				t.Errorf("%s may %s: %v", role, p, got)
			}
		}
	}
}

func TestASessionEndsWhenIdleAndWhenOld(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	limits := domain.SessionLimits{Idle: 15 * time.Minute, Life: 8 * time.Hour}
	s := domain.Session{CreatedAt: start, SeenAt: start, EndsAt: start.Add(limits.Life)}
	if err := s.Check(start.Add(15*time.Minute-time.Second), limits); err != nil {
		t.Errorf("just before: %v", err)
	}
	idle := s.Check(start.Add(15*time.Minute), limits)
	if domain.CodeOf(idle) != domain.Unauthenticated || !strings.Contains(idle.Error(), "15 minutes") {
		t.Errorf("idle: %v", idle)
	}
	s.SeenAt = start.Add(8*time.Hour - time.Minute)
	old := s.Check(start.Add(8*time.Hour), limits)
	if domain.CodeOf(old) != domain.Unauthenticated || !strings.Contains(old.Error(), "8 hours") {
		t.Errorf("old: %v", old)
	}
}

func TestAReasonHasToTellSomething(t *testing.T) {
	for text, good := range map[string]bool{"": false, "   short   ": false, "asked for by the sponsor": true, strings.Repeat("x", 501): false, strings.Repeat("é", 500): true} {
		if err := (domain.Reason{Text: text}).Check(); (err == nil) != good {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if (domain.Reason{Text: "asked for by the sponsor", Ticket: strings.Repeat("1", 61)}).Check() == nil {
		t.Error("a ticket of any length")
	}
}

func TestAKeyIsNotKept(t *testing.T) {
	key := domain.NewKey()
	if key == domain.NewKey() || len(key) != 64 || domain.SessionID(key) == key {
		t.Error("keys are random and only their digest is kept")
	}
}
