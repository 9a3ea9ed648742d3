package listing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/parties"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// pass is one answer of HPMS being taken over, in one unit of work.
type pass struct {
	*UseCase
	tx    ports.Tx
	actor domain.Actor
	now   time.Time
	out   *Outcome

	known map[domain.ContractNumber]domain.Contract
}

// take works out what the answer asks for, and takes it over unless it would
// take attestation from too many at once.
func (p *pass) take(ctx context.Context, listed []domain.ListedContract) error {
	contracts, err := p.tx.Contracts.List(ctx)
	if err != nil {
		return err
	}
	p.known = map[domain.ContractNumber]domain.Contract{}
	for _, c := range contracts {
		p.known[c.Number] = c
	}
	wants, active, err := p.wants(ctx, listed)
	if err != nil {
		return err
	}
	held, err := p.guard(ctx, wants, active)
	if err != nil || held {
		return err
	}
	// In the order in which kick-offs lock them.
	for _, l := range slices.SortedStableFunc(slices.Values(listed), func(a, b domain.ListedContract) int { return cmp.Compare(a.Number, b.Number) }) {
		if err := p.facts(ctx, l); err != nil {
			return err
		}
	}
	for _, n := range sortedKeys(wants) {
		if err := p.record(ctx, wants[n].event); err != nil {
			return err
		}
	}
	return nil
}

// wants returns the events by contract, and how many contracts that HPMS can
// end are active.
func (p *pass) wants(ctx context.Context, listed []domain.ListedContract) (wants map[domain.ContractNumber]wanted, active int, err error) {
	wants, today := map[domain.ContractNumber]wanted{}, domain.Today(p.now)
	said := map[domain.ContractNumber]domain.ListedContract{}
	for _, l := range listed {
		said[l.Number] = l
		if _, there := p.known[l.Number]; !there {
			if e, ok := l.Follow(nil, today); ok {
				wants[l.Number] = wanted{event: e}
			} else if !l.Known || l.Attested {
				p.out.Unclear = append(p.out.Unclear, l.Number)
			}
		}
	}
	for n, c := range p.known {
		l, there := said[n]
		if !c.Updates.Follow() || !there && !c.Listed {
			continue // HPMS has no say in it
		}
		events, err := p.tx.Attestations.Of(ctx, n)
		if err != nil {
			return nil, 0, err
		}
		s := domain.StandingOn(events, today)
		if s.Active {
			active++
		}
		e, ok := l.Follow(events, today)
		if !there {
			e, ok = domain.Unlisted(n, events, today)
		} else if !l.Known {
			p.out.Unclear = append(p.out.Unclear, n)
		}
		if !ok {
			continue
		}
		after := domain.StandingOn(append(slices.Clip(events), withID(e)), today)
		if attested := there && l.Attested; after.Active != attested || attested && after.DataStart != l.Since {
			p.out.Unclear = append(p.out.Unclear, n) // what HPMS says does not fit the history; a person has to look
			continue
		}
		wants[n] = wanted{event: e, ends: s.Active && !after.Active}
	}
	slices.Sort(p.out.Unclear)
	return wants, active, nil
}

func withID(e domain.AttestationEvent) domain.AttestationEvent {
	e.ID = "\xff" // after the others of its day
	return e
}

// guard takes out of the events the endings that a person rejected, and reports
// whether the rest waits for a person. What was released is let through.
func (p *pass) guard(ctx context.Context, wants map[domain.ContractNumber]wanted, active int) (held bool, err error) {
	decided := map[domain.ContractNumber]domain.HoldState{}
	for _, state := range []domain.HoldState{domain.HoldRejected, domain.HoldReleased} {
		holds, err := p.tx.Holds.Find(ctx, domain.HeldListing, state)
		if err != nil {
			return false, err
		}
		for _, h := range holds {
			// A decision is over once HPMS does not want that ending any more.
			ends := slices.DeleteFunc(slices.Clone(h.Ends), func(n domain.ContractNumber) bool { return !wants[n].ends })
			if len(ends) != len(h.Ends) {
				h.Ends = ends
				if err := p.tx.Holds.Put(ctx, h); err != nil {
					return false, err
				}
			}
			for _, n := range ends {
				decided[n] = state
			}
		}
	}
	var ends []domain.ContractNumber
	for _, n := range sortedKeys(wants) {
		switch {
		case decided[n] == domain.HoldRejected:
			delete(wants, n)
		case wants[n].ends && decided[n] != domain.HoldReleased:
			ends = append(ends, n)
		}
	}
	waiting, err := p.tx.Holds.Find(ctx, domain.HeldListing, domain.HoldWaiting)
	if err != nil {
		return false, err
	}
	held = p.Settings.Guard.Holds(active, len(ends))
	for _, h := range waiting {
		if held && slices.Equal(h.Ends, ends) {
			p.out.Held = h // it waits already
			continue
		}
		if err := h.Decide(domain.HoldSuperseded, p.now, hpms, "HPMS has said something else since."); err != nil {
			return false, err
		}
		if err := p.tx.Holds.Put(ctx, h); err != nil {
			return false, err
		}
	}
	if !held || p.out.Held.ID != "" {
		return held, nil
	}
	p.out.Held = domain.Hold{ID: domain.NewQuote(), Kind: domain.HeldListing, At: p.now, Ends: ends, Before: active, Dropped: len(ends), State: domain.HoldWaiting,
		Reason: fmt.Sprintf("HPMS would end the attestation of %d of %d contracts at once, which is more than %.0f%%.", len(ends), active, p.Settings.Guard.Share*100)}
	if err := p.tx.Holds.Put(ctx, p.out.Held); err != nil {
		return false, err
	}
	return true, p.tx.Audit.Record(ctx, domain.AuditRecord{At: p.now, Actor: p.actor, Action: "hpms.hold", Target: p.out.Held.ID, Outcome: "done",
		Detail: map[string]string{"reason": p.out.Held.Reason, "would end": list(ends)}})
}

// record adds an event through the door that all changes of attestation go
// through. What the rules refuse leaves the contract as it is.
func (p *pass) record(ctx context.Context, e domain.AttestationEvent) error {
	done, err := p.Attestation.RecordIn(ctx, p.tx, hpms, attestation.Change{Contract: e.Contract, Kind: e.Kind, Attestor: e.Attestor, Effective: e.Effective,
		DataStart: e.DataStart, Corrects: e.Corrects, CorrectedKind: e.CorrectedKind, Reason: e.Reason})
	switch domain.CodeOf(err) {
	case "":
		p.out.Events = append(p.out.Events, done.Event)
		return nil
	case domain.Invalid, domain.BusinessRule:
		p.out.Unclear = append(p.out.Unclear, e.Contract)
		return nil
	}
	return err
}

// facts takes over what HPMS says of a contract besides its attestation.
func (p *pass) facts(ctx context.Context, l domain.ListedContract) error {
	c, there := p.known[l.Number]
	if there && !c.Updates.Follow() {
		return nil
	}
	before := c
	c.Number, c.Listed, c.Enrolled, c.Eligible = l.Number, true, l.Enrolled, l.Eligible
	c.Name = cmp.Or(l.Name, c.Name, string(l.Number))
	if l.Known {
		c.Ends = l.Ends
	}
	detail := map[string]string{}
	listed := domain.SponsorOf(cmp.Or(l.ParentID, string(l.Number)))
	owner := listed
	if s, err := parties.Owner(ctx, p.tx, listed); err == nil {
		owner = s.ID // staff merged the organization into another
	} else if domain.CodeOf(err) != domain.NotFound {
		return err
	}
	moves, err := p.moves(ctx, c, owner)
	if err != nil {
		return err
	}
	if !there || moves {
		c.Sponsor = owner
	}
	if c.Sponsor == listed {
		if err := p.sponsor(ctx, owner, cmp.Or(l.ParentName, l.Name, string(owner)), detail); err != nil {
			return err
		}
	}
	if c == before && len(detail) == 0 {
		return nil
	}
	if there {
		err = p.tx.Contracts.Update(ctx, c.Number, func(held *domain.Contract) error {
			if held.Facts() != before.Facts() {
				return errMeanwhile
			}
			*held = c
			return nil
		})
	} else {
		err = p.tx.Contracts.Put(ctx, c)
	}
	if errors.Is(err, errMeanwhile) {
		return nil // the next time sees what staff made of it
	} else if err != nil {
		return err
	}
	for key, change := range map[string][2]string{"name": {before.Name, c.Name}, "sponsor": {string(before.Sponsor), string(c.Sponsor)},
		"ends": {before.Ends.String(), c.Ends.String()}, "listed": {fmt.Sprint(before.Listed), fmt.Sprint(c.Listed)}} {
		if change[0] != change[1] {
			detail[key] = change[1]
		}
	}
	if !there {
		p.out.Added = append(p.out.Added, c.Number)
	} else if len(detail) > 0 {
		p.out.Changed = append(p.out.Changed, c.Number)
	}
	if len(detail) == 0 {
		return nil // the counts alone: they change all the time
	}
	action := "hpms.contract.change"
	if !there {
		action = "hpms.contract.add"
	}
	return p.tx.Audit.Record(ctx, domain.AuditRecord{At: p.now, Actor: p.actor, Action: action, Target: string(c.Number), Outcome: "done", Detail: detail})
}

// sponsor sees to it that a sponsor is there and has HPMS's name.
func (p *pass) sponsor(ctx context.Context, id domain.SponsorID, name string, detail map[string]string) error {
	s, err := p.tx.Sponsors.Get(ctx, id)
	switch {
	case domain.CodeOf(err) == domain.NotFound:
		return p.tx.Sponsors.Put(ctx, domain.Sponsor{ID: id, Name: name})
	case err != nil || s.Name == name || !s.Updates.Follow():
		return err
	}
	return p.tx.Sponsors.Update(ctx, id, func(s *domain.Sponsor) error {
		if s.Updates.Follow() { // staff may have said otherwise meanwhile
			s.Name, detail["sponsor's name"] = name, name
		}
		return nil
	})
}

// errMeanwhile is that staff changed a contract while HPMS's answer was taken over.
var errMeanwhile = errors.New("changed meanwhile")

// moves reports whether a contract goes to another organization of HPMS by
// itself: not from a sponsor that staff made, and not while a client is
// registered for it, since whose that client is then is for a person to say.
func (p *pass) moves(ctx context.Context, c domain.Contract, to domain.SponsorID) (bool, error) {
	if c.Sponsor == to || !c.Sponsor.IsListed() {
		return false, nil
	}
	clients, err := p.tx.Clients.List(ctx)
	taken := slices.ContainsFunc(clients, func(x domain.Client) bool { return slices.Contains(x.Contracts, c.Number) })
	if taken && err == nil && !slices.Contains(p.out.Unclear, c.Number) {
		p.out.Unclear = append(p.out.Unclear, c.Number)
	}
	return !taken, err
}
