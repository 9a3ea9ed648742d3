// Package jobs lists the exports of a client.
package jobs

import (
	"context"
	"slices"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// UseCase lists exports.
type UseCase struct {
	Store ports.UnitOfWork
	Clock ports.Clock
}

// Ask asks for a part of the list.
type Ask struct {
	Client domain.Client
	States []domain.JobState // only jobs that stand like this; none for all
	Behind ports.JobPlace    // where the part begins
	Limit  int               // jobs that it has at most, from 1
}

// Job is an export as it stands now.
type Job struct {
	domain.ExportJobState
	Standing domain.JobState // expired as soon as its time is over
}

// Page is a part of the list.
type Page struct {
	Jobs []Job
	Next *ports.JobPlace // where the next part begins; nil when none follows
}

// List returns the jobs that the client may use, the newest first, those of
// other clients of its sponsor included. What is known of a job that ended is
// kept for a while only.
func (u *UseCase) List(ctx context.Context, ask Ask) (Page, error) {
	now := u.Clock.Now()
	var page Page
	err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		page = Page{}
		q := ports.JobQuery{Sponsor: ask.Client.Sponsor, States: kept(ask.States), Newest: true, Behind: ask.Behind, Limit: ask.Limit + 1}
		for {
			found, err := tx.JobList.Find(ctx, q)
			if err != nil {
				return err
			}
			for _, j := range found {
				s := j.State()
				if ask.Client.MayUse(j) && (len(ask.States) == 0 || slices.Contains(ask.States, j.StateAt(now))) {
					if len(page.Jobs) == ask.Limit {
						last := page.Jobs[ask.Limit-1]
						page.Next = &ports.JobPlace{CreatedAt: last.CreatedAt, ID: last.ID}
						return nil
					}
					page.Jobs = append(page.Jobs, Job{s, j.StateAt(now)})
				}
				q.Behind = ports.JobPlace{CreatedAt: s.CreatedAt, ID: s.ID}
			}
			if len(found) < q.Limit {
				return nil
			}
		}
	})
	return page, err
}

// kept returns the states as they may be kept: a job that has expired may not
// have been marked so yet.
func kept(states []domain.JobState) []domain.JobState {
	if slices.Contains(states, domain.Lapsed) && !slices.Contains(states, domain.Successful) {
		return append(slices.Clone(states), domain.Successful)
	}
	return states
}
