package fiberapi

import (
	"context"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
)

// watch looks, for as long as files are being sent, whether their contracts may
// still be sent anything: the one thing that cuts a transfer which was allowed to
// begin. It asks once for all of them, not for each.
type watch struct {
	ended func(ctx context.Context, contracts []domain.ContractNumber) ([]domain.ContractNumber, error)
	every time.Duration

	mu      sync.Mutex
	sending map[*transfer]domain.ContractNumber
	looking bool
}

// join has a transfer watched until leave is called.
func (w *watch) join(t *transfer, n domain.ContractNumber) (leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sending == nil {
		w.sending = map[*transfer]domain.ContractNumber{}
	}
	w.sending[t] = n
	if !w.looking {
		w.looking = true
		go w.look()
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.sending, t)
	}
}

// look ends when nothing is being sent.
func (w *watch) look() {
	for {
		time.Sleep(w.every)
		contracts := w.contracts()
		if contracts == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), bookkeeping)
		ended, err := w.ended(ctx, contracts)
		cancel()
		if err != nil {
			continue // who cannot be asked has not said no; new requests are refused meanwhile
		}
		for _, n := range ended {
			w.stop(n)
		}
	}
}

// contracts returns those that files are being sent of, each once, and nil when
// there are none any more: then nobody looks.
func (w *watch) contracts() (contracts []domain.ContractNumber) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := map[domain.ContractNumber]bool{}
	for _, n := range w.sending {
		if !seen[n] {
			seen[n] = true
			contracts = append(contracts, n)
		}
	}
	w.looking = contracts != nil
	return contracts
}

func (w *watch) stop(n domain.ContractNumber) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for t, of := range w.sending {
		if of == n {
			t.stop()
		}
	}
}
