package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"cms.gov/ab2d/domain"
)

// holds implements ports.Holds.
type holds struct{ *unit }

func (s holds) Put(ctx context.Context, h domain.Hold) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	h.Ends = slices.Clone(h.Ends)
	s.holds[h.ID] = h
	return nil
}

func (s holds) Get(ctx context.Context, id string) (domain.Hold, error) {
	if err := s.reading(ctx); err != nil {
		return domain.Hold{}, err
	}
	return get(s.holds, id, "hold")
}

func (s holds) Find(ctx context.Context, kind domain.HoldKind, state domain.HoldState) ([]domain.Hold, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	var found []domain.Hold
	for _, h := range s.holds {
		if (kind == "" || h.Kind == kind) && (state == "" || h.State == state) {
			found = append(found, h)
		}
	}
	slices.SortFunc(found, func(a, b domain.Hold) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return found, nil
}

type errand struct {
	token       string
	held, rests time.Time
	last        domain.ErrandRun
}

// errands implements ports.Errands.
type errands struct{ *unit }

func (s errands) Take(ctx context.Context, name string, insist bool, length time.Duration) (string, error) {
	if err := s.changing(ctx); err != nil {
		return "", err
	}
	e, now := s.errands[name], s.now()
	if e.token != "" && e.held.After(now) || !insist && e.rests.After(now) {
		return "", domain.Errorf(domain.Conflict, "errand %s is in other hands, or rests", name)
	}
	e.token, e.held = domain.NewEventID(), now.Add(length)
	s.errands[name] = e
	return e.token, nil
}

func (s errands) Keep(ctx context.Context, name, token string, length time.Duration) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	e, now := s.errands[name], s.now()
	if e.token != token || !e.held.After(now) {
		return domain.Errorf(domain.Conflict, "errand %s is in other hands", name)
	}
	e.held = now.Add(length)
	s.errands[name] = e
	return nil
}

func (s errands) End(ctx context.Context, name, token string, rest time.Duration) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	if e := s.errands[name]; e.token == token {
		s.errands[name] = errand{rests: s.now().Add(rest), last: e.last}
	}
	return nil
}

func (s errands) Wake(ctx context.Context, name string) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	e := s.errands[name]
	e.rests = time.Time{}
	s.errands[name] = e
	return nil
}

// intakes implements ports.Intakes.
type intakes struct{ *unit }

func (s intakes) Get(ctx context.Context, n domain.ContractNumber) (domain.Intake, error) {
	if err := s.reading(ctx); err != nil {
		return domain.Intake{}, err
	}
	in, ok := s.intakes[n]
	if !ok {
		return domain.Intake{Contract: n}, nil
	}
	return ownIntake(in), nil
}

func (s intakes) Put(ctx context.Context, in domain.Intake) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	s.intakes[in.Contract] = ownIntake(in)
	return nil
}

func (s intakes) List(ctx context.Context) ([]domain.Intake, error) {
	var all []domain.Intake
	for _, in := range byKey(s.intakes) {
		all = append(all, ownIntake(in))
	}
	return all, s.reading(ctx)
}

// ownIntake shares nothing with the one given.
func ownIntake(in domain.Intake) domain.Intake {
	in.Months = slices.Clone(in.Months)
	if in.Pass != nil {
		pass := *in.Pass
		pass.Months = slices.Clone(pass.Months)
		in.Pass = &pass
	}
	return in
}

// gathering implements ports.Gathering.
type gathering struct{ *unit }

func (s gathering) Add(ctx context.Context, n domain.ContractNumber, people []domain.Enrollee) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	all := maps.Clone(s.gathered[n])
	if all == nil {
		all = map[domain.PatientID]domain.Enrollee{}
	}
	for _, e := range people {
		months := all[e.Patient].Months
		for _, m := range e.Months.Months() {
			months = months.With(m, m)
		}
		e.Months = months
		all[e.Patient] = e
	}
	s.gathered[n] = all
	return nil
}

func (s gathering) After(ctx context.Context, n domain.ContractNumber, after domain.PatientID, limit int) ([]domain.Enrollee, error) {
	var some []domain.Enrollee
	for _, e := range byKey(s.gathered[n]) {
		if e.Patient > after && len(some) < limit {
			some = append(some, e)
		}
	}
	return some, s.reading(ctx)
}

func (s gathering) Clear(ctx context.Context, n domain.ContractNumber) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	delete(s.gathered, n)
	return nil
}
