package porttest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Holds runs the conformance suite of ports.Holds.
func Holds(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"a hold comes back whole, and is replaced": holdsWhole,
		"Find narrows and orders":                  holdsFind,
		"of two who decide at once one is refused": holdsRacing,
	})
}

func holdsWhole(s storeTest) {
	h := domain.Hold{ID: "h", Kind: domain.HeldListing, At: instantAt(1), Reason: "too many", Ends: []domain.ContractNumber{"S0002", "S0001"},
		Before: 10, Dropped: 2, State: domain.HoldWaiting}
	for range 2 {
		s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Holds.Put(ctx, h) })
		s.view(func(ctx context.Context, tx ports.Tx) error {
			got, err := tx.Holds.Get(ctx, "h")
			if !reflect.DeepEqual(got, h) || err != nil {
				s.Errorf("the hold is %+v, %v, want %+v", got, err, h)
			}
			_, err = tx.Holds.Get(ctx, "none")
			s.refused(err, domain.NotFound)
			return nil
		})
		if err := h.Decide(domain.HoldReleased, instantAt(3), domain.Actor{Kind: "staff", ID: "m", From: "10.0.0.1"}, "it is true"); err != nil {
			return // the second time
		}
	}
}

func holdsFind(s storeTest) {
	put := func(id string, kind domain.HoldKind, state domain.HoldState, minute int) {
		s.do(func(ctx context.Context, tx ports.Tx) error {
			return tx.Holds.Put(ctx, domain.Hold{ID: id, Kind: kind, State: state, At: instantAt(minute), Contract: "S0001"})
		})
	}
	put("c", domain.HeldListing, domain.HoldWaiting, 3)
	put("a", domain.HeldEnrollment, domain.HoldWaiting, 3)
	put("b", domain.HeldEnrollment, domain.HoldRejected, 1)
	put("d", domain.HeldEnrollment, domain.HoldWaiting, 2)
	for _, part := range []struct {
		kind  domain.HoldKind
		state domain.HoldState
		want  string
	}{{"", "", "bdac"}, {domain.HeldEnrollment, "", "bda"}, {"", domain.HoldWaiting, "dac"}, {domain.HeldListing, domain.HoldRejected, ""}} {
		s.view(func(ctx context.Context, tx ports.Tx) error {
			found, err := tx.Holds.Find(ctx, part.kind, part.state)
			got := ""
			for _, h := range found {
				got += h.ID
			}
			if got != part.want {
				s.Errorf("of kind %q and state %q: %s, want %s", part.kind, part.state, got, part.want)
			}
			return err
		})
	}
}

func holdsRacing(s storeTest) {
	s.do(func(ctx context.Context, tx ports.Tx) error {
		return tx.Holds.Put(ctx, domain.Hold{ID: "h", Kind: domain.HeldListing, State: domain.HoldWaiting, At: instantAt(1)})
	})
	errs := atOnce(6, func(i int) error {
		return s.try(func(ctx context.Context, tx ports.Tx) error {
			h, err := tx.Holds.Get(ctx, "h")
			if err != nil {
				return err
			}
			if err := h.Decide(domain.HoldReleased, instantAt(2), domain.System(fmt.Sprint(i)), ""); err != nil {
				return err
			}
			return tx.Holds.Put(ctx, h)
		})
	})
	decided := 0
	for _, err := range errs {
		if err == nil {
			decided++
		} else {
			s.refused(err, domain.Conflict)
		}
	}
	if decided != 1 {
		s.Errorf("%d decided", decided)
	}
}

// Errands runs the conformance suite of ports.Errands.
func Errands(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"one has it at a time":                   errandsOne,
		"one that is not ended in time is free":  errandsLost,
		"it rests until it is woken or insisted": errandsRest,
		"a race for one has exactly one winner":  errandsRacing,
		"errands do not disturb one another":     errandsOthers,
	})
}

func (s storeTest) take(name string, insist bool, length time.Duration) (token string, err error) {
	err = s.try(func(ctx context.Context, tx ports.Tx) error {
		token, err = tx.Errands.Take(ctx, name, insist, length)
		return err
	})
	return token, err
}

func (s storeTest) taken(name string, length time.Duration) string {
	s.Helper()
	token, err := s.take(name, false, length)
	if err != nil || token == "" {
		s.Fatalf("errand %s cannot be taken: %q, %v", name, token, err)
	}
	return token
}

func (s storeTest) keep(name, token string, length time.Duration) error {
	return s.try(func(ctx context.Context, tx ports.Tx) error { return tx.Errands.Keep(ctx, name, token, length) })
}

func (s storeTest) end(name, token string, rest time.Duration) {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Errands.End(ctx, name, token, rest) })
}

func errandsOne(s storeTest) {
	token := s.taken("e", time.Hour)
	for _, insist := range []bool{false, true} {
		_, err := s.take("e", insist, time.Hour)
		s.refused(err, domain.Conflict)
	}
	s.refused(s.keep("e", "another", time.Hour), domain.Conflict)
	s.refused(s.keep("none", token, time.Hour), domain.Conflict)
	s.end("e", "another", 0) // has no effect
	if err := s.keep("e", token, time.Hour); err != nil {
		s.Fatal(err)
	}
	s.end("e", token, 0)
	s.refused(s.keep("e", token, time.Hour), domain.Conflict)
	if again := s.taken("e", time.Hour); again == token {
		s.Error("two have the same token")
	}
}

func errandsLost(s storeTest) {
	lost := s.taken("e", time.Millisecond)
	var next string
	s.eventually("the errand is free again", func() bool {
		token, err := s.take("e", false, time.Hour)
		next = token
		return err == nil
	})
	s.refused(s.keep("e", lost, time.Hour), domain.Conflict)
	s.end("e", lost, time.Hour)
	if err := s.keep("e", next, time.Hour); err != nil {
		s.Errorf("ending a lost one ended the other's: %v", err)
	}
}

func errandsRest(s storeTest) {
	s.end("e", s.taken("e", time.Hour), time.Hour)
	_, err := s.take("e", false, time.Hour)
	s.refused(err, domain.Conflict)
	token, err := s.take("e", true, time.Hour)
	if err != nil {
		s.Fatalf("who insists: %v", err)
	}
	s.end("e", token, time.Hour)
	for _, name := range []string{"e", "new"} {
		s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Errands.Wake(ctx, name) })
		s.taken(name, time.Hour)
	}
	s.end("short", s.taken("short", time.Hour), time.Millisecond)
	s.eventually("it has rested", func() bool { _, err := s.take("short", false, time.Hour); return err == nil })
}

func errandsRacing(s storeTest) {
	errs := atOnce(8, func(int) error {
		_, err := s.take("e", false, time.Hour)
		return err
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			s.refused(err, domain.Conflict)
		}
	}
	if won != 1 {
		s.Errorf("%d have the errand", won)
	}
}

func errandsOthers(s storeTest) {
	a, b := s.taken("a", time.Hour), s.taken("b", time.Hour)
	s.refused(s.keep("a", b, time.Hour), domain.Conflict)
	s.end("a", a, time.Hour)
	if err := s.keep("b", b, time.Hour); err != nil {
		s.Error(err)
	}
}

// Intakes runs the conformance suites of ports.Intakes and ports.Gathering.
func Intakes(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"an intake comes back whole, and is replaced":    intakesWhole,
		"people are united and come in the order of ids": gatheringUnites,
		"adding the same again changes nothing":          gatheringTwice,
		"a unit that is undone gathered nothing":         gatheringUndone,
		"many are read in pieces":                        gatheringMany,
	})
}

func intakesWhole(s storeTest) {
	jan := domain.NewMonth(2026, 1)
	full := domain.Intake{Contract: "S0002", Months: []domain.MonthIntake{{Month: jan, At: instantAt(1), People: 7}},
		Pass: &domain.Pass{ID: "p", Began: instantAt(2), Hold: "h", Months: []domain.PassMonth{{Month: jan, Next: "-1", People: 3}, {Month: jan + 1, Done: true}}}}
	other := domain.Intake{Contract: "S0001", Months: full.Months}
	put := func(all ...domain.Intake) {
		s.do(func(ctx context.Context, tx ports.Tx) error {
			for _, in := range all {
				if err := tx.Intakes.Put(ctx, in); err != nil {
					return err
				}
			}
			return nil
		})
	}
	is := func(want domain.Intake) {
		s.Helper()
		s.view(func(ctx context.Context, tx ports.Tx) error {
			got, err := tx.Intakes.Get(ctx, want.Contract)
			if !reflect.DeepEqual(got, want) {
				s.Errorf("the intake is %+v, want %+v", got, want)
			}
			return err
		})
	}
	is(domain.Intake{Contract: "S0009"})
	put(full, other)
	is(full)
	is(other)
	s.view(func(ctx context.Context, tx ports.Tx) error {
		all, err := tx.Intakes.List(ctx)
		if len(all) != 2 || all[0].Contract != "S0001" || !reflect.DeepEqual(all[1], full) {
			s.Errorf("all are %+v", all)
		}
		return err
	})
	full.Pass = nil
	put(full)
	is(full)
}

func (s storeTest) gather(n domain.ContractNumber, people ...domain.Enrollee) {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Gathering.Add(ctx, n, people) })
}

func (s storeTest) gathered(n domain.ContractNumber, after domain.PatientID, limit int) (people []domain.Enrollee) {
	s.Helper()
	s.view(func(ctx context.Context, tx ports.Tx) (err error) {
		people, err = tx.Gathering.After(ctx, n, after, limit)
		return err
	})
	return people
}

func met(id string, month domain.Month, current string, historic ...domain.MBI) domain.Enrollee {
	return domain.Enrollee{Patient: domain.PatientID(id), Months: domain.NewMonthSet(month), IDs: domain.Identifiers{Current: domain.MBI(current), Historic: historic}}
}

func gatheringUnites(s storeTest) {
	jan := domain.NewMonth(2026, 1)
	s.gather("S0001", met("b", jan, "1S00E00AA01"), met("B", jan, ""), met("-2", jan, "1S00E00AA03", "1S00E00AA04", "1S00E00AA05"), met("b", jan+2, "1S00E00AA01"))
	s.gather("S0001", met("b", jan+1, "1S00E00AA02", "1S00E00AA01"))
	s.gather("S0002", met("b", jan, "1S00E00AA09"))
	want := []domain.Enrollee{met("-2", jan, "1S00E00AA03", "1S00E00AA04", "1S00E00AA05"), met("B", jan, ""), met("b", jan, "1S00E00AA02", "1S00E00AA01")}
	want[2].Months = want[2].Months.With(jan, jan+2)
	got := s.gathered("S0001", "", 10)
	for i := range got {
		if len(got[i].IDs.Historic) == 0 {
			got[i].IDs.Historic = nil
		}
	}
	if !reflect.DeepEqual(got, want) {
		s.Errorf("gathered %#v, want %#v", got, want)
	}
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Gathering.Clear(ctx, "S0001") })
	if len(s.gathered("S0001", "", 10)) != 0 || len(s.gathered("S0002", "", 10)) != 1 {
		s.Error("clearing a contract cleared too little or too much")
	}
}

func gatheringTwice(s storeTest) {
	jan := domain.NewMonth(2026, 1)
	s.gather("S0001", met("1", jan, "1S00E00AA01"))
	s.gather("S0001", met("1", jan+14, "1S00E00AA01"))
	before := s.gathered("S0001", "", 10)
	s.gather("S0001", met("1", jan, "1S00E00AA01"))
	s.gather("S0001") // nobody
	if after := s.gathered("S0001", "", 10); !reflect.DeepEqual(before, after) {
		s.Errorf("%v became %v", before, after)
	}
}

func gatheringUndone(s storeTest) {
	_ = s.try(func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Gathering.Add(ctx, "S0001", []domain.Enrollee{met("1", domain.NewMonth(2026, 1), "")}); err != nil {
			s.Error(err)
		}
		return errUndo
	})
	if got := s.gathered("S0001", "", 10); len(got) != 0 {
		s.Errorf("gathered %v", got)
	}
}

func gatheringMany(s storeTest) {
	const n = 1234
	var people []domain.Enrollee
	for i := range n {
		people = append(people, met(fmt.Sprintf("-%05d", (i*7)%n), domain.NewMonth(2026, 1), "1S00E00AA01"))
	}
	s.gather("S0001", people...)
	seen, last := 0, domain.PatientID("")
	for {
		some := s.gathered("S0001", last, 500)
		if !slices.IsSortedFunc(some, func(a, b domain.Enrollee) int { return slices.Compare([]byte(a.Patient), []byte(b.Patient)) }) {
			s.Fatal("they do not come in the order of their ids")
		}
		if seen += len(some); len(some) < 500 {
			break
		}
		last = some[len(some)-1].Patient
	}
	if seen != n {
		s.Errorf("read %d, want %d", seen, n)
	}
}
