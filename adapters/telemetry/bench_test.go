package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"cms.gov/ab2d/adapters/gzippack"
	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/adapters/telemetry"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/produce"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// BenchmarkClaimsPath measures what telemetry costs where claims go through:
// raw R4 claims in memory to finished files in memory, one partition at a time
// on one core. Each round does the same partition in three ways in turn, so that
// whatever else the machine does falls on each, and CPU time is that of the whole
// process, with what sends spans and metrics and the receiver that drops them.
//
//	bare  without the decorators
//	off   with them, and nobody who listens
//	on    with them, sent by OTLP and kept for Prometheus
//
// It tells the medians of off, of on and, as noise, of bare again, against bare.
func BenchmarkClaimsPath(b *testing.B) {
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer receiver.Close()
	p := newPlant(b)
	// What is made before any provider is set would tell whichever comes.
	otel.SetTracerProvider(nooptrace.NewTracerProvider())
	otel.SetMeterProvider(noopmetric.NewMeterProvider())
	bare, off := p.use(false), p.use(true)
	b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	b.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "1000") // a minute unless told: more than anybody asks for
	told, err := telemetry.Start(b.Context(), telemetry.Settings{Version: "test", Prometheus: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	on := p.use(true)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))

	ways := []tasks{bare, off, on, bare}
	for _, w := range ways {
		p.write(b, w) // everything is made and warm only after the first
	}
	var ratios [4][]float64
	for i := range b.N {
		var took [4]float64
		for j := range ways {
			j = (i + j) % len(ways) // each comes first as often as last
			took[j] = p.write(b, ways[j])
		}
		for j := range ways {
			ratios[j] = append(ratios[j], took[j]/took[0])
		}
	}
	for j, name := range []string{"", "%off", "%on", "%noise"} {
		if name != "" {
			b.ReportMetric((median(ratios[j])-1)*100, name)
		}
	}
	b.ReportMetric(float64(p.bytes)/1e6, "MB/partition")
	if err := told.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRead measures what is around the reading of one enrollee's forty
// claims, which themselves take no time here: the difference between the ways is
// what an enrollee costs.
func BenchmarkRead(b *testing.B) {
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer receiver.Close()
	p := &plant{claims: map[domain.PatientID][][]byte{"1": make([][]byte, 40)}}
	read := func(b *testing.B, source ports.Claims) {
		b.ReportAllocs()
		for b.Loop() {
			r, err := source.Read(b.Context(), ports.ClaimsQuery{Patient: "1"})
			for err == nil {
				_, err = r.Next()
			}
			if err != io.EOF || r.Close() != nil {
				b.Fatal(err)
			}
		}
	}
	otel.SetTracerProvider(nooptrace.NewTracerProvider())
	otel.SetMeterProvider(noopmetric.NewMeterProvider())
	b.Run("bare", func(b *testing.B) { read(b, p) })
	b.Run("off", func(b *testing.B) { read(b, telemetry.Claims(p)) })
	b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	told, err := telemetry.Start(b.Context(), telemetry.Settings{Version: "test", Prometheus: true, Log: slog.New(slog.DiscardHandler)})
	must(b, err)
	b.Run("on", func(b *testing.B) { read(b, telemetry.Claims(p)) })
	must(b, told.Stop(b.Context()))
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// plant is a partition of people of any age whose claims are at hand.
type plant struct {
	clock  *memory.Clock
	store  *memory.Store
	files  *memory.Files
	people []domain.Enrollee
	claims map[domain.PatientID][][]byte
	bytes  int
}

const people = 200

func newPlant(b *testing.B) *plant {
	clock := memory.NewClock(site.Start)
	p := &plant{clock: clock, store: memory.NewStoreAt(clock.Now), files: memory.NewFiles(), claims: map[domain.PatientID][][]byte{}}
	population := synthetic.New(1)
	source := synthetic.NewClaims(population, clock.Now)
	for e := range population.Enrollees("S0030") {
		r, err := source.Read(b.Context(), ports.ClaimsQuery{Version: domain.R4, Patient: e.Patient})
		for err == nil {
			var raw []byte
			if raw, err = r.Next(); err == nil {
				p.claims[e.Patient] = append(p.claims[e.Patient], slices.Clone(raw))
				p.bytes += len(raw)
			}
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		p.people = append(p.people, domain.Enrollee{Patient: e.Patient, Months: e.Months, IDs: e.Identifiers})
		if len(p.people) == people {
			break
		}
	}
	must(b, p.store.Do(b.Context(), func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Sponsors.Put(ctx, domain.Sponsor{ID: "sponsor", Name: "Sponsor"}); err != nil {
			return err
		}
		if err := tx.Contracts.Put(ctx, domain.Contract{Number: site.First, Name: "First", Sponsor: "sponsor"}); err != nil {
			return err
		}
		return tx.Attestations.Append(ctx, site.Event(site.First, domain.Attest, 2020_01_01))
	}))
	_, err := p.store.Load(b.Context(), site.First, ports.At(site.Start.AddDate(-1, 0, 0)), func(yield func(domain.Enrollee, error) bool) {
		for _, e := range p.people {
			if !yield(e, nil) {
				return
			}
		}
	})
	must(b, err)
	return p
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// use returns what does tasks, with the decorators of telemetry or without.
func (p *plant) use(decorated bool) tasks {
	use := &produce.UseCase{Store: p.store, Coverage: p.store, Claims: p, Files: p.files, Packing: gzippack.Packing{}, Scratch: &memory.Scratch{},
		Clock: p.clock, Log: slog.New(slog.DiscardHandler), Settings: produce.Settings{PartitionMembers: people, RollBytes: 200 << 20,
			Lookahead: 3, StageBytes: 2 << 20, Lease: time.Minute, Patience: time.Minute, FileLife: time.Hour, EarliestServed: domain.EarliestServed,
			FetchTries: 1, FetchBackoff: time.Millisecond, PartitionTries: 1}}
	if !decorated {
		return use
	}
	use.Claims, use.Files = telemetry.Claims(p), telemetry.Files(p.files)
	return telemetry.NewTasks(use)
}

type tasks interface {
	Plan(ctx context.Context, id domain.JobID) error
	Write(ctx context.Context, queued domain.PartitionID) error
}

// write does a new job of one partition and returns the seconds of CPU that
// writing it took.
func (p *plant) write(b *testing.B, t tasks) float64 {
	client := domain.Client{ID: "client", Sponsor: "sponsor", Enabled: true, Contracts: []domain.ContractNumber{site.First}}
	starts := &export.UseCase{Store: p.store, Clock: p.clock, Settings: export.Settings{JobsPerContract: 1 << 20}}
	id, err := starts.Start(b.Context(), export.Start{Client: client, From: netip.MustParseAddr("127.0.0.1"), Contract: site.First, Version: domain.R4,
		Request: "http://site/$export", Trace: caller})
	must(b, err)
	must(b, t.Plan(b.Context(), id))
	runtime.GC()
	begin := cpu()
	must(b, t.Write(b.Context(), domain.PartitionID{Job: id, Seq: 1}))
	took := cpu() - begin
	must(b, p.store.View(b.Context(), func(ctx context.Context, tx ports.Tx) error {
		parts, err := tx.Partitions.OfJob(ctx, id)
		for _, part := range parts {
			if part.State != domain.PartitionDone || part.Result.Columns.Exported < people/2 {
				b.Fatalf("%+v", part)
			}
			for _, f := range part.Result.Files {
				must(b, p.files.Delete(ctx, f.Key))
			}
		}
		return err
	}))
	return took
}

// cpu returns the seconds of CPU that this process has used.
func cpu() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// CompleteThrough implements ports.Claims.
func (p *plant) CompleteThrough(context.Context) (time.Time, error) {
	return site.Start.AddDate(1, 0, 0), nil
}

// Read implements ports.Claims.
func (p *plant) Read(_ context.Context, q ports.ClaimsQuery) (ports.ClaimReader, error) {
	return &atHand{p.claims[q.Patient]}, nil
}

type atHand struct{ claims [][]byte }

func (k *atHand) Next() ([]byte, error) {
	if len(k.claims) == 0 {
		return nil, io.EOF
	}
	raw := k.claims[0]
	k.claims = k.claims[1:]
	return raw, nil
}

func (k *atHand) AsOf() time.Time { return site.Start.AddDate(1, 0, 0) }
func (k *atHand) Close() error    { return nil }
