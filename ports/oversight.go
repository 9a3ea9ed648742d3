package ports

import (
	"context"
	"time"

	"cms.gov/ab2d/domain"
)

// Processes holds which processes run, as they tell themselves.
type Processes interface {
	// Tell adds or replaces what a process tells of itself, as told now by the
	// store's clock.
	Tell(ctx context.Context, p domain.Process) error

	// Leave removes one that has stopped. One that is not there is no error.
	Leave(ctx context.Context, id string) error

	// List returns all, by host and then by when they started.
	List(ctx context.Context) ([]domain.Process, error)

	// Forget removes those that were silent for that long, and returns how many.
	Forget(ctx context.Context, silent time.Duration) (int, error)
}

// SourceFigures holds what came of the calls to claims sources, in stretches of
// time and of all processes together.
type SourceFigures interface {
	// Add adds to the figures of the source and the stretch. Those who add at once
	// lose nothing of one another.
	Add(ctx context.Context, f domain.SourceFigures) error

	// Find returns the figures of stretches of a width that begin at or after from
	// and before to, by when they begin and then by source.
	Find(ctx context.Context, width time.Duration, from, to time.Time) ([]domain.SourceFigures, error)

	// Prune removes the figures of stretches of a width that began before the
	// time, and returns how many.
	Prune(ctx context.Context, width time.Duration, before time.Time) (int, error)
}

// ErrandBook tells how errands stand and what came of them.
type ErrandBook interface {
	// Note keeps what came of an errand the last time.
	Note(ctx context.Context, name string, run domain.ErrandRun) error

	// Get returns an errand: one with its name alone when nobody ever took it.
	Get(ctx context.Context, name string) (domain.Errand, error)
}
