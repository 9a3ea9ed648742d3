package produce_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/gzippack"
	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/produce"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
	"cms.gov/ab2d/ports"
)

// BenchmarkPipeline measures raw R4 claims in memory to finished files: the real
// Write of a partition, over memory stores, with the packing that production
// uses. MB/s are of raw claims.
//
//	one     a partition on one core
//	two     two partitions on two cores
//	maps    a partition on one core, by way of map[string]any
//	ratios  all three in turn, so that whatever else the machine does falls on
//	        each: two against one, and one against maps, as medians
func BenchmarkPipeline(b *testing.B) {
	p := newPlant(b)
	b.Run("one", func(b *testing.B) { p.repeat(b, 1, p.one) })
	b.Run("two", func(b *testing.B) { p.repeat(b, 2, p.two) })
	b.Run("maps", func(b *testing.B) { p.repeat(b, 1, p.maps) })
	b.Run("ratios", p.ratios)
}

// The map version delivers the same claims, as JSON.
func TestMapsDeliverTheSame(t *testing.T) {
	p := newPlant(t)
	rules := newMapRules(eob.Rules(domain.R4))
	trimmer := eob.NewTrimmer(domain.R4)
	kept := 0
	for _, e := range p.people[:4] {
		mbis := eob.MBIExtensions(e.IDs)
		for _, raw := range p.claims[e.Patient] {
			line, facts, err := trimmer.Trim(nil, raw, mbis)
			if err != nil {
				t.Fatal(err)
			}
			theirs, keep := rules.claim(raw, mbis, p.selection(e))
			if verdict := p.selection(e).Decide(facts); keep != (verdict == eob.Keep) {
				t.Fatalf("%s: the maps say %v", verdict, keep)
			} else if !keep {
				continue
			}
			var want, got any
			if json.Unmarshal(line, &want) != nil || json.Unmarshal(theirs, &got) != nil || !reflect.DeepEqual(want, got) {
				t.Fatalf("the maps deliver\n%s\nand not\n%s", theirs, line)
			}
			kept++
		}
	}
	if kept < 50 {
		t.Errorf("only %d claims were compared", kept)
	}
}

// plant is the worker's use case over memory, and raw claims of two partitions.
type plant struct {
	store  *memory.Store
	files  *memory.Files
	export *export.UseCase
	use    *produce.UseCase
	people []domain.Enrollee
	claims map[domain.PatientID][][]byte
	bytes  [2]int64 // raw, of each partition
	rules  *mapRules
}

const peoplePerPartition = 100

func newPlant(t testing.TB) *plant {
	clock := memory.NewClock(site.Start)
	p := &plant{store: memory.NewStoreAt(clock.Now), files: memory.NewFiles(), claims: map[domain.PatientID][][]byte{}, rules: newMapRules(eob.Rules(domain.R4))}
	p.generate(t)
	p.export = &export.UseCase{Store: p.store, Clock: clock, Settings: export.Settings{JobsPerContract: 1 << 20}}
	p.use = &produce.UseCase{Store: p.store, Coverage: p.store, Claims: p, Files: p.files, Packing: gzippack.Packing{}, Scratch: &memory.Scratch{},
		Clock: clock, Log: slog.New(slog.DiscardHandler), Settings: produce.Settings{PartitionMembers: peoplePerPartition, RollBytes: 200 << 20,
			Lookahead: 3, StageBytes: 2 << 20, Lease: time.Minute, Patience: time.Minute, FileLife: time.Hour, EarliestServed: domain.EarliestServed,
			FetchTries: 1, FetchBackoff: time.Millisecond, PartitionTries: 1}}
	must(t, p.store.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Sponsors.Put(ctx, domain.Sponsor{ID: "sponsor", Name: "Sponsor"}); err != nil {
			return err
		}
		if err := tx.Contracts.Put(ctx, domain.Contract{Number: site.First, Name: "First", Sponsor: "sponsor"}); err != nil {
			return err
		}
		return tx.Attestations.Append(ctx, site.Event(site.First, domain.Attest, 2020_01_01))
	}))
	_, err := p.store.Load(t.Context(), site.First, ports.At(site.Start.AddDate(-1, 0, 0)), func(yield func(domain.Enrollee, error) bool) {
		for _, e := range p.people {
			if !yield(e, nil) {
				return
			}
		}
	})
	must(t, err)
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// generate has the synthetic Medicare make the claims of people who have about
// as many bytes each, so that the partitions are equally long.
func (p *plant) generate(t testing.TB) {
	population := synthetic.New(1)
	source := synthetic.NewClaims(population, func() time.Time { return site.Start })
	for e := range population.Enrollees("S0030") {
		claims, size := readAll(t, source, e.Patient)
		if size < 700_000 || size > 1_300_000 {
			continue
		}
		p.claims[e.Patient] = claims
		p.bytes[len(p.people)/peoplePerPartition] += size
		p.people = append(p.people, domain.Enrollee{Patient: e.Patient, Months: e.Months, IDs: e.Identifiers})
		if len(p.people) == 2*peoplePerPartition {
			return
		}
	}
	t.Fatal("the population is too small")
}

func readAll(t testing.TB, source ports.Claims, id domain.PatientID) (claims [][]byte, size int64) {
	r, err := source.Read(t.Context(), ports.ClaimsQuery{Version: domain.R4, Patient: id})
	must(t, err)
	for {
		raw, err := r.Next()
		if err == io.EOF {
			must(t, r.Close())
			return claims, size
		}
		must(t, err)
		claims = append(claims, slices.Clone(raw))
		size += int64(len(raw))
	}
}

// CompleteThrough implements ports.Claims.
func (p *plant) CompleteThrough(context.Context) (time.Time, error) {
	return site.Start.AddDate(1, 0, 0), nil
}

// Read implements ports.Claims.
func (p *plant) Read(_ context.Context, q ports.ClaimsQuery) (ports.ClaimReader, error) {
	return &kept{p.claims[q.Patient]}, nil
}

type kept struct{ claims [][]byte }

func (k *kept) Next() ([]byte, error) {
	if len(k.claims) == 0 {
		return nil, io.EOF
	}
	raw := k.claims[0]
	k.claims = k.claims[1:]
	return raw, nil
}

func (k *kept) AsOf() time.Time { return site.Start.AddDate(1, 0, 0) }
func (k *kept) Close() error    { return nil }

// planned returns a job that is planned and ready to be written.
func (p *plant) planned(t testing.TB) domain.JobID {
	client := domain.Client{ID: "client", Sponsor: "sponsor", Enabled: true, Contracts: []domain.ContractNumber{site.First}}
	id, err := p.export.Start(t.Context(), export.Start{Client: client, From: netip.MustParseAddr("127.0.0.1"),
		Contract: site.First, Version: domain.R4, Request: "http://site/$export"})
	must(t, err)
	must(t, p.use.Plan(t.Context(), id))
	return id
}

// taken takes a partition out of turn.
func (p *plant) taken(t testing.TB, id domain.JobID, seq int) (w produce.Work) {
	must(t, p.store.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		job, err := tx.Jobs.Get(ctx, id)
		if err != nil {
			return err
		}
		w.Job = job.State()
		w.Lease, err = tx.Leases.Acquire(ctx, domain.PartitionID{Job: id, Seq: seq}, time.Minute)
		return err
	}))
	return w
}

// write writes partitions of a new job side by side and returns how long it took.
func (p *plant) write(t testing.TB, cores int, partitions ...int) time.Duration {
	job := p.planned(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	runtime.GC()
	begin := time.Now()
	var all sync.WaitGroup
	for _, seq := range partitions {
		all.Go(func() {
			if _, err := p.use.Do(t.Context(), p.taken(t, job, seq)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	took := time.Since(begin)
	p.check(t, job, len(partitions))
	return took
}

// check sees that the partitions are bound, with a file each, and drops the files.
func (p *plant) check(t testing.TB, job domain.JobID, partitions int) {
	var done int
	must(t, p.store.View(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		parts, err := tx.Partitions.OfJob(ctx, job)
		for _, part := range parts {
			if part.State == domain.PartitionDone && len(part.Result.Files) == 1 && part.Result.Columns.Enrollees() == peoplePerPartition && part.Result.Columns.Failed == 0 {
				done++
				err = p.files.Delete(ctx, part.Result.Files[0].Key)
			}
		}
		return err
	}))
	if done != partitions {
		t.Fatalf("%d partitions are done, not %d", done, partitions)
	}
}

func (p *plant) one(t testing.TB) time.Duration { return p.write(t, 1, 1) }
func (p *plant) two(t testing.TB) time.Duration { return p.write(t, 2, 1, 2) }

// repeat is the loop of a benchmark that is timed by what run says.
func (p *plant) repeat(b *testing.B, partitions int, run func(testing.TB) time.Duration) {
	var took time.Duration
	var raw int64
	for range b.N {
		took += run(b)
		raw += p.bytes[0]
		if partitions == 2 {
			raw += p.bytes[1]
		}
	}
	b.ReportMetric(float64(raw)/1e6/took.Seconds(), "MB/s")
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ns/op")
}

func (p *plant) ratios(b *testing.B) {
	var scale, gain []float64
	for range b.N {
		one, two, maps := p.one(b).Seconds(), p.two(b).Seconds(), p.maps(b).Seconds()
		scale = append(scale, one/float64(p.bytes[0])*float64(p.bytes[0]+p.bytes[1])/two)
		gain = append(gain, maps/one)
	}
	slices.Sort(scale)
	slices.Sort(gain)
	b.ReportMetric(scale[len(scale)/2], "two/one")
	b.ReportMetric(gain[len(gain)/2], "one/maps")
}

func (p *plant) selection(e domain.Enrollee) eob.Selection {
	return eob.Selection{Patient: e.Patient, Through: site.Start, Now: domain.Entitlement{Months: e.Months, From: domain.EarliestServed}}
}

// maps does what one does in the way that comes first to mind.
func (p *plant) maps(t testing.TB) time.Duration {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	runtime.GC()
	begin := time.Now()
	file, err := p.files.Create(t.Context(), fmt.Sprintf("maps/%d", begin.UnixNano()))
	must(t, err)
	plain, stored := sha256.New(), sha256.New()
	packer := gzippack.Packing{}.Pack(io.MultiWriter(file, stored))
	for _, e := range p.people[:peoplePerPartition] {
		mbis := eob.MBIExtensions(e.IDs)
		for _, raw := range p.claims[e.Patient] {
			if line, keep := p.rules.claim(raw, mbis, p.selection(e)); keep {
				line = append(line, '\n')
				_, _ = plain.Write(line)
				_, err := packer.Write(line)
				must(t, err)
			}
		}
	}
	_, err = packer.Finish()
	must(t, err)
	plain.Sum(nil)
	stored.Sum(nil)
	took := time.Since(begin)
	must(t, file.Abort())
	return took
}

// mapRules is the allow list for claims that are maps. It is as short as the
// claims at hand allow, and does not look for the codes of 42 CFR Part 2, both of
// which is to its advantage.
type mapRules struct {
	kids      map[string]*mapRules
	cases     map[string]*mapRules // by url or resourceType
	selector  string
	condition [2]string // a path and the text that one leaf there must be
}

func newMapRules(rules []eob.Rule) *mapRules {
	root := &mapRules{}
	for _, r := range rules {
		if r.Condition != "decides" {
			root.add(r)
		}
	}
	return root
}

func (m *mapRules) add(r eob.Rule) {
	where, text, _ := strings.Cut(r.Condition, " = ")
	parts := strings.Split(r.Path, ".")
	at := 0
	for i, part := range parts {
		if where == "url" && part == "extension[]" || where == "resourceType" && part == "contained[]" {
			at = i
		}
	}
	for i, part := range parts {
		name := strings.TrimSuffix(part, "[]")
		if m.kids == nil {
			m.kids = map[string]*mapRules{}
		}
		if m.kids[name] == nil {
			m.kids[name] = &mapRules{}
		}
		m = m.kids[name]
		if i != at || where == "" {
			continue
		}
		if where != "url" && where != "resourceType" {
			m.condition = [2]string{where, text}
			continue
		}
		if m.cases == nil {
			m.selector, m.cases = where, map[string]*mapRules{}
		}
		if m.cases[text] == nil {
			m.cases[text] = &mapRules{}
		}
		m = m.cases[text]
	}
}

// claim filters and trims one claim.
func (m *mapRules) claim(raw, mbis []byte, s eob.Selection) (line []byte, keep bool) {
	var claim map[string]any
	if json.Unmarshal(raw, &claim) != nil || s.Decide(factsOf(claim)) != eob.Keep {
		return nil, false
	}
	out := m.trim(claim).(map[string]any)
	var identifiers []any
	_ = json.Unmarshal(slices.Concat([]byte("["), mbis, []byte("]")), &identifiers)
	out["extension"] = append(list(out, "extension"), identifiers...)
	if _, ok := out["meta"]; !ok { // a claim without lastUpdated keeps nothing else of it
		out["meta"] = map[string]any{}
	}
	object(out, "meta")["tag"] = []any{map[string]any{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED", "display": "subsetted"}}
	dropUnreferred(out)
	line, err := json.Marshal(out)
	return line, err == nil
}

// factsOf takes out of a claim what it is decided by.
func factsOf(claim map[string]any) (f eob.Facts) {
	f.ID = []byte(text(claim, "id"))
	for _, coding := range list(object(claim, "type"), "coding") {
		if c, _ := coding.(map[string]any); strings.HasSuffix(text(c, "system"), "eob-type") {
			for t := eob.Carrier; t <= eob.PartD; t++ {
				if t.String() == text(c, "code") {
					f.Type = t
				}
			}
		}
	}
	period := object(claim, "billablePeriod")
	f.Period.Start, _ = domain.ParseDate(text(period, "start"))
	f.Period.End, _ = domain.ParseDate(text(period, "end"))
	f.Patient = []byte(strings.TrimPrefix(text(object(claim, "patient"), "reference"), "Patient/"))
	f.LastUpdated, _ = time.Parse(time.RFC3339Nano, text(object(claim, "meta"), "lastUpdated"))
	return f
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

func object(m map[string]any, name string) map[string]any {
	o, _ := m[name].(map[string]any)
	return o
}

func list(m map[string]any, name string) []any {
	l, _ := m[name].([]any)
	return l
}

// trim returns what leaves of v, nil for nothing.
func (m *mapRules) trim(v any) any {
	switch v := v.(type) {
	case []any:
		var out []any
		for _, e := range v {
			if e = m.trim(e); e != nil {
				out = append(out, e)
			}
		}
		if out == nil {
			return nil
		}
		return out
	case map[string]any:
		return m.trimObject(v)
	}
	if m.kids != nil || m.cases != nil {
		return nil
	}
	return v
}

func (m *mapRules) trimObject(v map[string]any) any {
	rules := m
	if m.cases != nil {
		if rules = m.cases[text(v, m.selector)]; rules == nil {
			return nil
		}
	}
	if m.condition[0] != "" && !holds(v, strings.Split(m.condition[0], "."), m.condition[1]) {
		return nil
	}
	out := map[string]any{}
	for name, child := range v {
		if kid := rules.kids[name]; kid != nil {
			if child = kid.trim(child); child != nil {
				out[name] = child
			}
		}
	}
	if len(out) == 0 || len(out) == 1 && out[m.selector] != nil {
		return nil
	}
	return out
}

func holds(v any, path []string, want string) bool {
	if l, ok := v.([]any); ok {
		return slices.ContainsFunc(l, func(e any) bool { return holds(e, path, want) })
	}
	if len(path) == 0 {
		return v == want
	}
	m, _ := v.(map[string]any)
	return holds(m[strings.TrimSuffix(path[0], "[]")], path[1:], want)
}

// dropUnreferred drops the contained resources that nothing refers to.
func dropUnreferred(claim map[string]any) {
	contained := list(claim, "contained")
	delete(claim, "contained")
	referred := map[string]bool{}
	noteReferences(claim, referred)
	contained = slices.DeleteFunc(contained, func(c any) bool { return !referred["#"+text(c.(map[string]any), "id")] })
	if len(contained) > 0 {
		claim["contained"] = contained
	}
}

func noteReferences(v any, referred map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		if r := text(v, "reference"); r != "" {
			referred[r] = true
		}
		for _, child := range v {
			noteReferences(child, referred)
		}
	case []any:
		for _, child := range v {
			noteReferences(child, referred)
		}
	}
}
