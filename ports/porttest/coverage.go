package porttest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Coverage runs the conformance suite of ports.Coverage.
func Coverage(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"a version is as of when it was last found to be so": coverageAsOf,
		"the time is asked for when all is written":          coverageRecordedLast,
		"before the first load there is nothing":             coverageNothing,
		"a load comes back whole":                            coverageWhole,
		"versions stay as they were":                         coverageVersions,
		"a load that changes nothing is no load":             coverageUnchanged,
		"a load of nobody":                                   coverageNobody,
		"VersionAt goes by when it was recorded":             coverageVersionAt,
		"an older load is refused":                           coverageOlder,
		"contracts do not touch each other":                  coverageContracts,
		"a sequence that fails leaves no trace":              coverageFails,
		"a sequence out of order leaves no trace":            coverageOutOfOrder,
		"an ended context leaves no trace":                   coverageCancelled,
		"key ranges are in byte order, both ends":            coverageRanges,
		"the ranges of a cut together hold all":              coverageCut,
		"Members can be left early":                          coverageLeft,
		"Members reads on while a load goes on":              coverageBeside,
		"racing loads of one contract all succeed":           coverageRacing,
	})
}

var months = domain.MonthSet("").With(domain.NewMonth(2020, 1), domain.NewMonth(2024, 12))

func enrollee(p string) domain.Enrollee {
	return domain.Enrollee{Patient: domain.PatientID(p), Months: months, IDs: domain.Identifiers{Current: domain.MBI("M" + p), Historic: []domain.MBI{}}}
}

func enrollees(patients ...string) []domain.Enrollee {
	out := make([]domain.Enrollee, len(patients))
	for i, p := range patients {
		out[i] = enrollee(p)
	}
	return out
}

func sequence(list []domain.Enrollee, end error) iter.Seq2[domain.Enrollee, error] {
	return func(yield func(domain.Enrollee, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
		if end != nil {
			yield(domain.Enrollee{}, end)
		}
	}
}

func (s storeTest) load(minute int, list []domain.Enrollee) domain.EnrollmentVersion {
	s.Helper()
	v, err := s.store.Load(s.Context(), "S0001", ports.At(instantAt(minute)), sequence(list, nil))
	if err != nil {
		s.Fatalf("Load: %v", err)
	}
	return v
}

func (s storeTest) members(v domain.EnrollmentVersion, keys domain.KeyRange) []domain.Enrollee {
	s.Helper()
	var list []domain.Enrollee
	for e, err := range s.store.Members(s.Context(), "S0001", v, keys) {
		if err != nil {
			s.Fatalf("Members: %v", err)
		}
		list = append(list, e)
	}
	return list
}

// holds checks who is in a version, whether an empty list of MBIs is nil or not.
func (s storeTest) holds(v domain.EnrollmentVersion, want []domain.Enrollee) {
	s.Helper()
	got := s.members(v, domain.KeyRange{})
	if !slices.EqualFunc(got, want, sameEnrollee) {
		s.Errorf("version %d holds %d people\n%s\nwant %d\n%s", v, len(got), tell(got), len(want), tell(want))
	}
}

func sameEnrollee(a, b domain.Enrollee) bool {
	return a.Patient == b.Patient && a.Months == b.Months && a.IDs.Current == b.IDs.Current && slices.Equal(a.IDs.Historic, b.IDs.Historic)
}

// tell shows the people of a test, MBIs too, since they are made up.
func tell(list []domain.Enrollee) string {
	text := ""
	for _, e := range list[:min(len(list), 20)] {
		text += fmt.Sprintf("%s %x %s %d\n", e.Patient, string(e.Months), string(e.IDs.Current), len(e.IDs.Historic))
	}
	return text
}

func patients(list []domain.Enrollee) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = string(e.Patient)
	}
	return out
}

func (s storeTest) versionAt(minute int) domain.EnrollmentVersion {
	s.Helper()
	v, err := s.store.VersionAt(s.Context(), "S0001", instantAt(minute))
	if err != nil {
		s.Fatalf("VersionAt: %v", err)
	}
	return v
}

func coverageNothing(s storeTest) {
	if v := s.versionAt(0); v != 0 {
		s.Errorf("version %d is in force", v)
	}
	for _, v := range []domain.EnrollmentVersion{0, 1} {
		if got := s.members(v, domain.KeyRange{}); len(got) != 0 {
			s.Errorf("version %d has %d members", v, len(got))
		}
	}
}

func coverageWhole(s storeTest) {
	want := []domain.Enrollee{
		{Patient: "-1", Months: months, IDs: domain.Identifiers{Current: "1EG4TE5MK73", Historic: []domain.MBI{"1EG4TE5MK72", "1EG4TE5MK71"}}},
		{Patient: "-2", Months: domain.MonthSet("").With(domain.NewMonth(2006, 1), domain.NewMonth(2006, 1)), IDs: domain.Identifiers{Historic: []domain.MBI{"1EG4TE5MK72"}}},
		{Patient: "-3"},
	}
	v := s.load(1, want)
	if v <= 0 {
		s.Errorf("the first version is %d", v)
	}
	s.holds(v, want)
}

func coverageVersions(s storeTest) {
	all := [][]domain.Enrollee{
		enrollees("-1", "-3", "-5"),
		enrollees("-1", "-2", "-3", "-5", "-6"), // two join
		enrollees("-2", "-5", "-6"),             // two leave
		enrollees("-2", "-5", "-6"),             // one has a month more
		enrollees("-2", "-5", "-6"),             // one has another MBI
		enrollees("-2", "-5", "-6"),             // one has another historic MBI
		enrollees("-1", "-2", "-5", "-6"),       // one is back
		enrollees("-2", "-5", "-6"),             // and leaves again
	}
	for i := 3; i < len(all); i++ {
		all[i][len(all[i])-2].Months = months.With(domain.NewMonth(2025, 1), domain.NewMonth(2025, 1))
		if i > 3 {
			all[i][len(all[i])-1].IDs.Current = "another"
		}
		if i > 4 {
			all[i][len(all[i])-1].IDs.Historic = []domain.MBI{"M-6"}
		}
	}
	versions := make([]domain.EnrollmentVersion, len(all))
	for i, list := range all {
		versions[i] = s.load(i, list)
		if i > 0 && versions[i] <= versions[i-1] {
			s.Errorf("version %d comes after %d", versions[i], versions[i-1])
		}
	}
	for i, list := range all {
		s.holds(versions[i], list)
	}
}

func coverageUnchanged(s storeTest) {
	list := enrollees("-1", "-2")
	v := s.load(1, list)
	if again := s.load(2, list); again != v {
		s.Errorf("the same load makes version %d after %d", again, v)
	}
	if got := s.versionAt(1); got != v {
		s.Errorf("version %d is in force from when it was first loaded, want %d", got, v)
	}
	// Since it was not recorded again, a load from between is not too old.
	if next := s.load(1, enrollees("-1")); next <= v {
		s.Errorf("a changed load makes version %d after %d", next, v)
	}
}

func coverageNobody(s storeTest) {
	v := s.load(1, enrollees("-1", "-2"))
	empty := s.load(2, nil)
	if empty <= v {
		s.Errorf("version %d comes after %d", empty, v)
	}
	s.holds(empty, nil)
	s.holds(v, enrollees("-1", "-2"))
}

func coverageVersionAt(s storeTest) {
	first := s.load(10, enrollees("-1"))
	second := s.load(20, enrollees("-2"))
	third := s.load(20, enrollees("-3")) // at the same time: the later load counts
	for minute, want := range map[int]domain.EnrollmentVersion{9: 0, 10: first, 19: first, 20: third, 99: third} {
		if got := s.versionAt(minute); got != want {
			s.Errorf("at %d version %d is in force, want %d", minute, got, want)
		}
	}
	s.holds(second, enrollees("-2"))
}

func coverageOlder(s storeTest) {
	v := s.load(10, enrollees("-1"))
	if _, err := s.store.Load(s.Context(), "S0001", ports.At(instantAt(9)), sequence(enrollees("-2"), nil)); err == nil {
		s.Error("a load recorded before the version in force was taken")
	}
	if got := s.versionAt(99); got != v {
		s.Errorf("version %d is in force, want %d", got, v)
	}
}

func coverageContracts(s storeTest) {
	s.load(1, enrollees("-1", "-2"))
	other, err := s.store.Load(s.Context(), "S0002", ports.At(instantAt(2)), sequence(enrollees("-2", "-3"), nil))
	if err != nil {
		s.Fatal(err)
	}
	s.holds(s.versionAt(9), enrollees("-1", "-2"))
	var got []domain.Enrollee
	for e, err := range s.store.Members(s.Context(), "S0002", other, domain.KeyRange{}) {
		if err != nil {
			s.Fatal(err)
		}
		got = append(got, e)
	}
	if want := []string{"-2", "-3"}; !reflect.DeepEqual(patients(got), want) {
		s.Errorf("the other contract has %v, want %v", patients(got), want)
	}
}

// unharmed checks that a failed load left the version in force and its people.
func (s storeTest) unharmed(v domain.EnrollmentVersion, want []domain.Enrollee) {
	s.Helper()
	if got := s.versionAt(999); got != v {
		s.Errorf("version %d is in force, want %d", got, v)
	}
	s.holds(v, want)
	next := s.load(1000, append(slices.Clone(want), enrollee("-zz")))
	s.holds(next, append(slices.Clone(want), enrollee("-zz")))
}

// manyEnrollees are more than any adapter's page or batch.
func manyEnrollees(prefix string, n int) []domain.Enrollee {
	list := make([]domain.Enrollee, n)
	for i := range list {
		list[i] = enrollee(fmt.Sprintf("%s%06d", prefix, i))
	}
	return list
}

func coverageFails(s storeTest) {
	old := enrollees("-a", "-b")
	v := s.load(1, old)
	for _, before := range [][]domain.Enrollee{nil, enrollees("-b"), manyEnrollees("-a", 3000)} {
		_, err := s.store.Load(s.Context(), "S0001", ports.At(instantAt(2)), sequence(before, errUndo))
		if !errors.Is(err, errUndo) {
			s.Errorf("the error is %v, want that of the sequence", err)
		}
	}
	s.unharmed(v, old)
}

func coverageOutOfOrder(s storeTest) {
	old := enrollees("-a", "-b")
	v := s.load(1, old)
	for _, wrong := range [][]domain.Enrollee{enrollees("-b", "-a"), enrollees("-a", "-a"), enrollees("-a", "-B")} {
		if _, err := s.store.Load(s.Context(), "S0001", ports.At(instantAt(2)), sequence(wrong, nil)); err == nil {
			s.Errorf("%v were taken", patients(wrong))
		}
	}
	s.unharmed(v, old)
}

func coverageCancelled(s storeTest) {
	old := enrollees("-a", "-b")
	v := s.load(1, old)
	ctx, cancel := context.WithCancel(s.Context())
	_, err := s.store.Load(ctx, "S0001", ports.At(instantAt(2)), func(yield func(domain.Enrollee, error) bool) {
		for i, e := range manyEnrollees("-", 2500) {
			if i == 2000 {
				cancel()
			}
			if !yield(e, nil) {
				return
			}
		}
	})
	if err == nil {
		s.Error("a load whose context ended succeeded")
	}
	s.unharmed(v, old)
}

func coverageRanges(s storeTest) {
	// What a dictionary would order otherwise: capitals, hyphens, digits, umlauts.
	all := []string{"-10", "-2", "0", "10", "9", "A", "B", "Z", "a", "a-b", "aB", "ab", "b", "é"}
	v := s.load(1, enrollees(all...))
	for _, part := range []struct {
		from, to string
		want     []string
	}{
		{"", "", all},
		{"0", "", all[2:]},
		{"", "A", all[:6]},
		{"10", "B", all[3:7]},
		{"A", "A", all[5:6]},
		{"C", "a", all[7:9]},
		{"a", "aZ", all[8:11]},
		{"C", "D", nil},
		{"b", "a", nil},
	} {
		got := patients(s.members(v, domain.KeyRange{From: domain.PatientID(part.from), To: domain.PatientID(part.to)}))
		if !slices.Equal(got, part.want) {
			s.Errorf("from %q to %q are %q, want %q", part.from, part.to, got, part.want)
		}
	}
}

func coverageCut(s storeTest) {
	all := manyEnrollees("-", 4500)
	s.load(1, all)
	changed := slices.Clone(all)
	for i := range changed {
		if i%3 == 0 {
			changed[i].Months = ""
		}
	}
	changed = slices.Delete(changed, 1000, 1700)
	v := s.load(2, changed)
	s.holds(v, changed)
	var got []domain.Enrollee
	for from := 0; from < len(changed); from += 321 {
		to := min(from+321, len(changed)) - 1
		got = append(got, s.members(v, domain.KeyRange{From: changed[from].Patient, To: changed[to].Patient})...)
	}
	if !slices.EqualFunc(got, changed, sameEnrollee) {
		s.Errorf("the ranges hold %d people, want %d", len(got), len(changed))
	}
}

func coverageLeft(s storeTest) {
	v := s.load(1, manyEnrollees("-", 4500))
	for range 30 { // more often than any pool has connections
		for _, err := range s.store.Members(s.Context(), "S0001", v, domain.KeyRange{}) {
			if err != nil {
				s.Fatal(err)
			}
			break
		}
	}
	s.load(2, nil)
}

func coverageBeside(s storeTest) {
	old := manyEnrollees("-", 4500)
	v := s.load(1, old)
	var got []domain.Enrollee
	for e, err := range s.store.Members(s.Context(), "S0001", v, domain.KeyRange{}) {
		if err != nil {
			s.Fatal(err)
		}
		if got = append(got, e); len(got) == 100 {
			s.load(2, manyEnrollees("-x", 10))
		}
	}
	if !slices.EqualFunc(got, old, sameEnrollee) {
		s.Errorf("%d people were read, want the %d of the version", len(got), len(old))
	}
}

func coverageRacing(s storeTest) {
	const n = 4
	versions := make([]domain.EnrollmentVersion, n)
	for _, err := range atOnce(n, func(i int) (err error) {
		versions[i], err = s.store.Load(s.Context(), "S0001", ports.At(instantAt(1)), sequence(manyEnrollees(fmt.Sprintf("-%d-", i), 700), nil))
		return err
	}) {
		if err != nil {
			s.Fatal(err)
		}
	}
	for i, v := range versions {
		s.holds(v, manyEnrollees(fmt.Sprintf("-%d-", i), 700))
	}
}

func coverageAsOf(s storeTest) {
	load := func(minute int, ids ...string) domain.EnrollmentVersion {
		s.Helper()
		v, err := s.store.Load(s.Context(), "S0001", ports.At(instantAt(minute)), sequence(enrollees(ids...), nil))
		if err != nil {
			s.Fatal(err)
		}
		return v
	}
	is := func(v domain.EnrollmentVersion, minute int) {
		s.Helper()
		if at, err := s.store.AsOf(s.Context(), "S0001", v); err != nil || !at.Equal(instantAt(minute)) {
			s.Errorf("version %d is as of %s, %v, want %s", v, at, err, instantAt(minute))
		}
	}
	first := load(1, "-1")
	is(first, 1)
	if same := load(5, "-1"); same != first {
		s.Fatalf("a load that changes nothing gives version %d", same)
	}
	is(first, 5)
	second := load(7, "-2")
	is(first, 5)
	is(second, 7)
	if at, err := s.store.VersionAt(s.Context(), "S0001", instantAt(6)); err != nil || at != first {
		s.Errorf("at 6 it is version %d, %v", at, err)
	}
	_, err := s.store.AsOf(s.Context(), "S0001", second+1)
	s.refused(err, domain.NotFound)
}

func coverageRecordedLast(s storeTest) {
	ended := false
	v, err := s.store.Load(s.Context(), "S0001", func() time.Time {
		if !ended {
			s.Error("the time was asked for before all enrollees had come")
		}
		return instantAt(1)
	}, func(yield func(domain.Enrollee, error) bool) {
		for _, e := range enrollees("-1", "-2") {
			if !yield(e, nil) {
				return
			}
		}
		ended = true
	})
	if err != nil || v == 0 {
		s.Errorf("version %d, %v", v, err)
	}
}
