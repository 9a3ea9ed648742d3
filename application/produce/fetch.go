package produce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
	"cms.gov/ab2d/ports"
)

// fetchAll yields what came of each member, in order, while up to Lookahead
// members after it are being fetched. What waits is bounded: that many members,
// none begun while AheadBytes of others wait, each with at most StageBytes in memory.
func (u *UseCase) fetchAll(ctx context.Context, job domain.ExportJobState, l domain.Lease, members []member) iter.Seq2[*fetched, error] {
	return func(yield func(*fetched, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var fetching sync.WaitGroup
		pool := &fetcherPool{use: u, job: job, contract: l.Partition.Contract, budget: u.budgetOf(l), ahead: newAhead(u.Settings.AheadBytes)}
		defer pool.close()
		defer fetching.Wait()
		defer cancel()

		queue := make(chan chan *fetched, u.Settings.Lookahead)
		fetching.Go(func() {
			defer close(queue)
			for place, m := range members {
				slot := make(chan *fetched, 1)
				select {
				case queue <- slot:
				case <-ctx.Done():
					return
				}
				fetching.Go(func() { slot <- pool.fetch(ctx, place, m) })
			}
		})
		place := 0
		for slot := range queue {
			pool.ahead.turn(place)
			place++
			f := <-slot
			more := yield(f, f.err)
			pool.put(f.stage)
			if !more || f.err != nil {
				return
			}
		}
		if err := context.Cause(ctx); err != nil {
			yield(nil, err)
		}
	}
}

// fetcherPool keeps the buffers of finished fetches for the next ones.
type fetcherPool struct {
	use      *UseCase
	job      domain.ExportJobState
	contract domain.ContractNumber
	budget   *budget
	ahead    *ahead

	mu       sync.Mutex
	stages   []*stage
	trimmers []*eob.Trimmer
}

func (p *fetcherPool) get() (*stage, *eob.Trimmer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return pop(&p.stages, func() *stage { return &stage{limit: p.use.Settings.StageBytes, scratch: p.use.Scratch, ahead: p.ahead} }),
		pop(&p.trimmers, p.trimmer)
}

// trimmer returns one for what the job asks of a claim.
func (p *fetcherPool) trimmer() *eob.Trimmer {
	var options []eob.Option
	if p.use.Settings.LabelsOnly {
		options = append(options, eob.ByLabelsAlone())
	}
	if p.job.Terms.Filters.ReadStatus() {
		options = append(options, eob.WithStatus())
	}
	if names, narrowed := p.job.Terms.Elements.Of(domain.ExplanationOfBenefit); narrowed {
		options = append(options, eob.Only(names))
	}
	return eob.NewTrimmer(p.job.Version, options...)
}

func pop[T any](free *[]T, make func() T) T {
	if n := len(*free); n > 0 {
		v := (*free)[n-1]
		*free = (*free)[:n-1]
		return v
	}
	return make()
}

// put takes back the stage of a member who has been written.
func (p *fetcherPool) put(s *stage) {
	s.leave()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stages = append(p.stages, s)
}

func (p *fetcherPool) close() {
	for _, s := range p.stages {
		s.close()
	}
}

// fetch asks for a member's claims until they have come whole, or the tries of
// the member or the retries of the partition are used up.
func (p *fetcherPool) fetch(ctx context.Context, place int, m member) *fetched {
	waited := p.ahead.begin(ctx, place)
	s, t := p.get()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.trimmers = append(p.trimmers, t)
	}()
	f := &fetched{member: m, stage: s}
	if f.err = waited; f.err != nil {
		return f
	}
	if m.optedOut {
		f.err = s.reset() // what the stage held was another's
		return f
	}
	wait := p.use.Settings.FetchBackoff
	for try := 1; ; try++ {
		err := p.readWhenThere(ctx, f, t)
		switch {
		case err == nil:
			p.budget.came()
			return f
		case ctx.Err() != nil:
			f.err = context.Cause(ctx)
			return f
		case errors.As(err, new(scratchError)), domain.CodeOf(err) == domain.Invalid:
			f.err = err // our own room, or a source that cannot be asked like this: the member is not to blame
			return f
		case try >= p.use.Settings.FetchTries || domain.CodeOf(err) == domain.NotFound:
			p.use.Log.WarnContext(ctx, "enrollee failed", "job", p.job.ID, "contract", p.contract, "tries", try, "error", err)
			f.failure, f.unknown = reasonOf(err), domain.CodeOf(err) == domain.NotFound
			return f
		case !p.budget.spend():
			f.err = domain.Errorf(domain.Unavailable, "the claims source fails too often").Because(err)
			return f
		}
		rest(ctx, max(wait, retryAfter(err)))
		wait *= 2
	}
}

// readWhenThere is read, for as long as it takes until the source is there: an
// outage is no enrollee's, so that it costs nobody a try.
func (p *fetcherPool) readWhenThere(ctx context.Context, f *fetched, t *eob.Trimmer) error {
	for {
		err := p.read(ctx, f, t)
		if !errors.Is(err, ports.ErrAway) || ctx.Err() != nil {
			return err
		}
		rest(ctx, max(retryAfter(err), p.use.Settings.FetchBackoff))
	}
}

// rest waits for as long or up to half as long again: many come back from the
// same trouble, and must not do so at the same instant.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d + rand.N(d/2+1))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// retryAfter is when the source wants to be asked again; zero when it did not say.
func retryAfter(err error) time.Duration {
	if e := (*domain.Error)(nil); errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// errSlow means that an answer took longer than it may.
var errSlow = domain.Errorf(domain.Unavailable, "the source did not answer in time")

// errOthers means that the answer held a claim of somebody else. Who mixes up
// people may have sent this one's claims elsewhere, so that nothing of such an
// answer is believed.
var errOthers = domain.Errorf(domain.Unavailable, "the source's answer held a claim of another person")

// errStale means that the source answered as of a time before the transaction
// time: a replica that lags. What it left out would be in no export at all.
var errStale = domain.Errorf(domain.Unavailable, "the source's answer was older than the transaction time")

// read asks for the member's claims once, from the first page to the last.
func (p *fetcherPool) read(ctx context.Context, f *fetched, t *eob.Trimmer) error {
	if limit := p.use.Settings.FetchTimeout; limit > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, limit)
		defer done()
	}
	err := p.readWhole(ctx, f, t)
	if errors.Is(err, context.DeadlineExceeded) {
		return errSlow
	}
	return err
}

func (p *fetcherPool) readWhole(ctx context.Context, f *fetched, t *eob.Trimmer) (err error) {
	if err := f.stage.reset(); err != nil {
		return err
	}
	f.claims, f.records, f.kinds, f.excluded, f.unread, f.unreadRecords = 0, nil, nil, map[eob.Verdict]int{}, nil, nil
	if err := p.readRecords(ctx, f); err != nil || !p.job.Terms.Has(domain.ExplanationOfBenefit) {
		return err
	}
	q := ports.ClaimsQuery{Version: p.job.Version, Patient: f.Patient, UpdatedThrough: f.selection.Through, ServedFrom: f.selection.Now.From,
		Contract: p.contract, Job: p.job.ID}
	if !f.full {
		q.UpdatedFrom = f.selection.Since
	}
	r, err := p.use.Claims.Read(ctx, q)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var mbis []byte
	if p.job.Terms.Elements.Has(domain.ExplanationOfBenefit, "extension") {
		mbis = eob.MBIExtensions(f.IDs)
	}
	seen := map[string]struct{}{}
	open, _ := r.(ports.OpenClaimReader)
	for {
		if took, err := f.takeOpen(open, mbis, t, seen); err != nil {
			return err
		} else if took {
			continue
		}
		raw, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if err := f.take(raw, mbis, t, seen); err != nil {
			return err
		}
	}
	if r.AsOf().Before(p.job.TransactionTime) {
		return errStale
	}
	return nil
}

// takeOpen trims the next claim while it finds its end, where the reader leaves
// that to us, and reports whether that could be done. Without it a tenth of the
// time of an export from BFD went by finding ends, and the same bytes were gone
// over again at once.
func (f *fetched) takeOpen(r ports.OpenClaimReader, mbis []byte, t *eob.Trimmer, seen map[string]struct{}) (bool, error) {
	if r == nil {
		return false, nil
	}
	beyond := 0
	for range 2 { // at the second time it has all come, but for the largest
		raw := r.Begun(beyond)
		if raw == nil {
			break
		}
		if line, facts, n := t.TrimFirst(f.stage.room(), raw, mbis); n > 0 {
			err := f.judge(line, facts, seen)
			r.Ended(n)
			return true, err
		}
		beyond = len(raw)
	}
	return false, nil
}

// take trims one claim and keeps it if the rule says so.
func (f *fetched) take(raw, mbis []byte, t *eob.Trimmer, seen map[string]struct{}) error {
	line, facts, err := t.Trim(f.stage.room(), raw, mbis)
	if unread := (*eob.UnreadableError)(nil); errors.As(err, &unread) {
		f.unread = append(f.unread, unread.Error())
		return nil
	} else if err != nil {
		return err
	}
	return f.judge(line, facts, seen)
}

// judge keeps a trimmed claim if the rule says so.
func (f *fetched) judge(line []byte, facts eob.Facts, seen map[string]struct{}) error {
	if string(facts.Patient) != string(f.Patient) {
		return errOthers
	}
	verdict := f.selection.Decide(facts)
	if verdict == eob.Keep {
		if _, again := seen[string(facts.ID)]; again {
			verdict = eob.Repeated
		}
	}
	if verdict != eob.Keep {
		f.excluded[verdict]++
		return nil
	}
	seen[string(facts.ID)] = struct{}{}
	f.claims++
	return f.stage.keep(append(line, '\n'))
}

// reasonOf is what a sponsor may be told of an error: the message meant for
// people where it has one, however it was wrapped on its way, and else its kind.
func reasonOf(err error) string {
	if e := (*domain.Error)(nil); errors.As(err, &e) {
		return e.Message
	}
	return fmt.Sprintf("the claims source did not answer as it should (%T)", err)
}
