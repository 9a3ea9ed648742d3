package memory

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

func byKey[K cmp.Ordered, V any](m map[K]V) []V {
	var out []V
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}

func get[K comparable, V any](m map[K]V, k K, what string) (V, error) {
	v, there := m[k]
	if !there {
		return v, domain.Errorf(domain.NotFound, "there is no %s %v", what, k)
	}
	return v, nil
}

// sponsors implements ports.Sponsors.
type sponsors struct{ *unit }

func (s sponsors) Put(ctx context.Context, p domain.Sponsor) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	s.sponsors[p.ID] = p
	return nil
}

func (s sponsors) Get(ctx context.Context, id domain.SponsorID) (domain.Sponsor, error) {
	if err := s.reading(ctx); err != nil {
		return domain.Sponsor{}, err
	}
	return get(s.sponsors, id, "sponsor")
}

func (s sponsors) Update(ctx context.Context, id domain.SponsorID, change func(*domain.Sponsor) error) error {
	p, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := change(&p); err != nil {
		return err
	}
	p.ID = id
	return s.Put(ctx, p)
}

func (s sponsors) List(ctx context.Context) ([]domain.Sponsor, error) {
	return byKey(s.sponsors), s.reading(ctx)
}

// contracts implements ports.Contracts.
type contracts struct{ *unit }

// Put returns an invalid error when the sponsor does not exist.
func (s contracts) Put(ctx context.Context, c domain.Contract) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	if _, there := s.sponsors[c.Sponsor]; !there {
		return domain.Errorf(domain.Invalid, "contract %s belongs to a sponsor that is not there", c.Number)
	}
	s.contracts[c.Number] = c
	return nil
}

func (s contracts) Get(ctx context.Context, n domain.ContractNumber) (domain.Contract, error) {
	if err := s.reading(ctx); err != nil {
		return domain.Contract{}, err
	}
	return get(s.contracts, n, "contract")
}

func (s contracts) Update(ctx context.Context, n domain.ContractNumber, change func(*domain.Contract) error) error {
	c, err := s.Get(ctx, n)
	if err != nil {
		return err
	}
	if err := change(&c); err != nil {
		return err
	}
	c.Number = n
	return s.Put(ctx, c)
}

func (s contracts) List(ctx context.Context) ([]domain.Contract, error) {
	return byKey(s.contracts), s.reading(ctx)
}

// clients implements ports.Clients.
type clients struct{ *unit }

// Put returns an invalid error when the sponsor or a contract does not exist.
func (s clients) Put(ctx context.Context, c domain.Client) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	if _, there := s.sponsors[c.Sponsor]; !there {
		return domain.Errorf(domain.Invalid, "client %s belongs to a sponsor that is not there", c.ID)
	}
	for _, n := range c.Contracts {
		if _, there := s.contracts[n]; !there {
			return domain.Errorf(domain.Invalid, "client %s is for a contract that is not there", c.ID)
		}
	}
	s.clients[c.ID] = c
	return nil
}

func (s clients) Get(ctx context.Context, id domain.ClientID) (domain.Client, error) {
	if err := s.reading(ctx); err != nil {
		return domain.Client{}, err
	}
	return get(s.clients, id, "client")
}

func (s clients) Update(ctx context.Context, id domain.ClientID, change func(*domain.Client) error) error {
	c, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	c.Contracts, c.Networks, c.Secrets = slices.Clone(c.Contracts), slices.Clone(c.Networks), slices.Clone(c.Secrets)
	if err := change(&c); err != nil {
		return err
	}
	c.ID = id
	return s.Put(ctx, c)
}

func (s clients) List(ctx context.Context) ([]domain.Client, error) {
	return byKey(s.clients), s.reading(ctx)
}

// activity implements ports.ClientActivity.
type activity struct{ *unit }

func (s activity) Of(ctx context.Context, ids []domain.ClientID) (map[domain.ClientID]domain.ClientActivity, error) {
	found := map[domain.ClientID]domain.ClientActivity{}
	for _, id := range ids {
		if a, there := s.activity[id]; there {
			found[id] = a
		}
	}
	return found, s.reading(ctx)
}

func (s activity) Used(ctx context.Context, id domain.ClientID, at time.Time, from netip.Addr) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	a := s.activity[id]
	a.LastUsed, a.LastFrom, a.Failures = at, from, 0
	s.activity[id] = a
	return nil
}

func (s activity) Failed(ctx context.Context, id domain.ClientID, at time.Time) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	a := s.activity[id]
	a.Failures, a.LastFailed = a.Failures+1, at
	s.activity[id] = a
	return nil
}

// attestations implements ports.Attestations.
type attestations struct{ *unit }

func (s attestations) Append(ctx context.Context, e domain.AttestationEvent) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	if slices.ContainsFunc(s.events, func(f domain.AttestationEvent) bool { return f.ID == e.ID }) {
		return domain.Errorf(domain.Conflict, "attestation event %s is there already", e.ID)
	}
	s.events = append(s.events, e)
	return nil
}

func (s attestations) Of(ctx context.Context, n domain.ContractNumber) ([]domain.AttestationEvent, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	var events []domain.AttestationEvent
	for _, e := range s.events {
		if e.Contract == n {
			events = append(events, e)
		}
	}
	slices.SortStableFunc(events, func(a, b domain.AttestationEvent) int { return a.Recorded.Compare(b.Recorded) })
	return events, nil
}

func (s attestations) All(ctx context.Context) (map[domain.ContractNumber][]domain.AttestationEvent, error) {
	all := map[domain.ContractNumber][]domain.AttestationEvent{}
	for _, e := range s.events {
		if all[e.Contract] == nil {
			all[e.Contract], _ = s.Of(ctx, e.Contract) // fails as reading does
		}
	}
	return all, s.reading(ctx)
}

// audit implements ports.Audit.
type audit struct{ *unit }

func (s audit) Record(ctx context.Context, r domain.AuditRecord) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	r.Detail = maps.Clone(r.Detail)
	s.recorded++
	s.records = append(s.records, ports.AuditEntry{Number: s.recorded, AuditRecord: r})
	s.unsealed[s.recorded] = true
	return nil
}

// Find implements ports.AuditLog.
func (s *Store) Find(ctx context.Context, action, target string, limit int) ([]domain.AuditRecord, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	var records []domain.AuditRecord
	for _, r := range slices.Backward(s.records) {
		records = append(records, r.AuditRecord)
	}
	s.mu.Unlock()
	records = slices.DeleteFunc(records, func(r domain.AuditRecord) bool {
		return action != "" && r.Action != action || target != "" && r.Target != target
	})
	slices.SortStableFunc(records, func(a, b domain.AuditRecord) int { return b.At.Compare(a.At) })
	return records[:min(limit, len(records))], nil
}

// Search implements ports.AuditLog.
func (s *Store) Search(ctx context.Context, q ports.AuditQuery) ([]ports.AuditEntry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	records := slices.Clone(s.records)
	s.mu.Unlock()
	if q.Limit <= 0 {
		q.Limit = 100
	}
	var found []ports.AuditEntry
	for _, e := range slices.Backward(records) {
		if len(found) < q.Limit && wanted(q, e) {
			found = append(found, e)
		}
	}
	return found, nil
}

func wanted(q ports.AuditQuery, e ports.AuditEntry) bool {
	action := q.Action == "" || e.Action == q.Action || strings.HasSuffix(q.Action, ".") && strings.HasPrefix(e.Action, q.Action)
	target := q.Target == "" || e.Target == q.Target || strings.HasPrefix(e.Target, q.Target+"/")
	outcome := q.Outcome == "" || e.Outcome == q.Outcome || q.Outcome == "refused" && e.Outcome != "done" && e.Outcome != "repeated"
	return action && target && outcome && (q.Actor == "" || e.Actor.ID == q.Actor) && !e.At.Before(q.From) &&
		(q.To.IsZero() || e.At.Before(q.To)) && (q.Before <= 0 || e.Number < q.Before)
}
