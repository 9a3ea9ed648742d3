package bfd

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"
)

// Simulation is an export of many people whose claims come from BFD, played
// through in simulated time: with the pace of this package, but without a
// server, bytes or a database. It says how long an export takes by the number of
// workers and calls at once, which nobody can try out with millions of people.
type Simulation struct {
	People      int
	Workers     int           // processes
	Connections int           // calls at once that each may make
	Total       int           // calls at once that all may make together; 0 for no bound
	Fixed       bool          // always so many calls at once, instead of finding out
	Partitions  int           // that each process writes at once
	Members     int           // people of a partition
	Lookahead   int           // people asked for ahead in each partition
	Work        time.Duration // of one processor of a process, for one person's claims
	Turnaround  time.Duration // from one partition to the next

	Latency  time.Duration // of BFD: its median
	Sigma    float64       // of the logarithm of its latency, 0 for always the same
	Capacity int           // calls at once that BFD bears; above it each takes longer by the square; 0 for any number
	Refuse   float64       // times the capacity above which it refuses; 0 for never
	Seed     uint64
}

// Simulated is what came of a simulation.
type Simulated struct {
	Took    time.Duration
	Calls   int
	Refused int     // of the calls
	AtOnce  float64 // calls at once, on average
}

// Run plays the export through.
func (s Simulation) Run() Simulated {
	m := &model{Simulation: s, random: rand.New(rand.NewPCG(s.Seed, 1)), left: (s.People + s.Members - 1) / s.Members, people: s.People}
	most := s.Connections
	if s.Total > 0 {
		most = max(min(most, s.Total/s.Workers), 1)
	}
	for range s.Workers {
		w := &simWorker{pace: newPace(most)}
		if s.Fixed {
			w.pace.fixed = true
			w.pace.atMost(most)
		}
		for range s.Partitions {
			w.parts = append(w.parts, &simPart{})
		}
		for _, p := range w.parts {
			m.take(p)
		}
		m.workers = append(m.workers, w)
	}
	for _, w := range m.workers {
		m.dispatch(w)
	}
	for m.events.Len() > 0 {
		e := heap.Pop(&m.events).(event)
		m.busy += float64(m.inUse) * (e.at - m.now).Seconds()
		m.now = e.at
		m.happen(e)
	}
	return Simulated{Took: m.now, Calls: m.calls, Refused: m.refused, AtOnce: m.busy / m.now.Seconds()}
}

type model struct {
	Simulation
	random  *rand.Rand
	workers []*simWorker
	events  events
	now     time.Duration
	left    int // partitions that nobody has taken
	people  int // in them
	inUse   int
	busy    float64
	calls   int
	refused int
}

type simWorker struct {
	pace  pace
	inUse int
	parts []*simPart
	turn  int
	free  time.Duration // when its processor has nothing more to do
}

// simPart is a partition that a worker writes.
type simPart struct {
	members int
	next    int    // the first member not asked for
	head    int    // the first member not written
	came    []bool // of all
	again   []int  // members to be asked for again
}

type eventKind uint8

const (
	came eventKind = iota
	wasRefused
	askAgain
	begins
)

type event struct {
	at      time.Duration
	kind    eventKind
	worker  *simWorker
	part    *simPart
	member  int
	latency time.Duration
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func (m *model) take(p *simPart) {
	*p = simPart{came: p.came}
	if m.left == 0 {
		return
	}
	m.left--
	p.members = min(m.Members, m.people)
	m.people -= p.members
	if p.came == nil {
		p.came = make([]bool, m.Members)
	}
	clear(p.came)
}

func (m *model) dispatch(w *simWorker) {
	for w.inUse < int(w.pace.limit) {
		p, member := w.pick(m.Lookahead)
		if p == nil {
			return
		}
		w.inUse++
		m.calls++
		e := event{worker: w, part: p, member: member}
		if m.Capacity > 0 && m.Refuse > 0 && float64(m.inUse+1) > m.Refuse*float64(m.Capacity) {
			e.kind, e.at = wasRefused, m.now+20*time.Millisecond
		} else {
			m.inUse++
			l := float64(m.Latency)
			if m.Sigma > 0 {
				l *= math.Exp(m.Sigma * m.random.NormFloat64())
			}
			if above := float64(m.inUse) / float64(max(m.Capacity, 1)); m.Capacity > 0 && above > 1 {
				l *= above * above
			}
			e.kind, e.latency = came, time.Duration(l)
			e.at = m.now + e.latency
		}
		heap.Push(&m.events, e)
	}
}

// pick chooses whom to ask for next, from the partitions in turn.
func (w *simWorker) pick(lookahead int) (*simPart, int) {
	for range w.parts {
		p := w.parts[w.turn%len(w.parts)]
		w.turn++
		if n := len(p.again); n > 0 {
			member := p.again[n-1]
			p.again = p.again[:n-1]
			return p, member
		}
		if p.next < p.members && p.next <= p.head+lookahead {
			p.next++
			return p, p.next - 1
		}
	}
	return nil, 0
}

func (m *model) happen(e event) {
	w, p := e.worker, e.part
	switch e.kind {
	case wasRefused:
		m.refused++
		w.pace.took(refused, 0, w.inUse)
		w.inUse--
		heap.Push(&m.events, event{at: m.now + jittered(200*time.Millisecond), kind: askAgain, worker: w, part: p, member: e.member})
	case askAgain:
		p.again = append(p.again, e.member)
	case begins:
		m.take(p)
	case came:
		w.pace.took(answered, e.latency, w.inUse)
		w.inUse--
		m.inUse--
		w.free = max(w.free, m.now) + m.Work
		p.came[e.member] = true
		for p.head < p.members && p.came[p.head] {
			p.head++
		}
		if p.head == p.members {
			heap.Push(&m.events, event{at: max(w.free, m.now) + m.Turnaround, kind: begins, worker: w, part: p})
		}
	}
	if w.free-m.now > time.Second { // its processor is behind: what came waits, and nobody else is asked for
		heap.Push(&m.events, event{at: w.free - time.Second, kind: eventKind(255), worker: w, part: p})
		return
	}
	m.dispatch(w)
}
