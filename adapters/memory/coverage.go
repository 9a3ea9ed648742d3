package memory

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
)

// coverage implements ports.Coverage.
type coverage struct {
	mu       sync.Mutex
	versions map[domain.ContractNumber][]enrollment // version 1 first
}

type enrollment struct {
	recorded  time.Time
	asOf      time.Time
	enrollees []domain.Enrollee
}

func (c *coverage) of(n domain.ContractNumber) []enrollment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.versions[n]
}

// VersionAt implements ports.Coverage.
func (c *coverage) VersionAt(ctx context.Context, n domain.ContractNumber, t time.Time) (domain.EnrollmentVersion, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var latest domain.EnrollmentVersion
	for i, v := range c.of(n) {
		if !v.recorded.After(t) {
			latest = domain.EnrollmentVersion(i + 1)
		}
	}
	return latest, nil
}

// Members implements ports.Coverage.
func (c *coverage) Members(ctx context.Context, n domain.ContractNumber, v domain.EnrollmentVersion, keys domain.KeyRange) iter.Seq2[domain.Enrollee, error] {
	return func(yield func(domain.Enrollee, error) bool) {
		versions := c.of(n)
		if v < 1 || int(v) > len(versions) {
			return
		}
		for _, e := range versions[v-1].enrollees {
			if err := ctx.Err(); err != nil {
				yield(domain.Enrollee{}, err)
				return
			}
			if e.Patient < keys.From || keys.To != "" && e.Patient > keys.To {
				continue
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Load implements ports.Coverage.
func (c *coverage) Load(ctx context.Context, n domain.ContractNumber, recordedAt func() time.Time, enrollees iter.Seq2[domain.Enrollee, error]) (domain.EnrollmentVersion, error) {
	var all []domain.Enrollee
	last := domain.PatientID("")
	for e, err := range enrollees {
		if err != nil {
			return 0, err
		}
		if e.Patient <= last {
			return 0, domain.Errorf(domain.Invalid, "the enrollees of contract %s do not come in ascending order of their ids", n)
		}
		last = e.Patient
		all = append(all, e)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	at := recordedAt()
	c.mu.Lock()
	defer c.mu.Unlock()
	versions := c.versions[n]
	if len(versions) > 0 {
		current := versions[len(versions)-1]
		if at.Before(current.recorded) {
			return 0, domain.Errorf(domain.Invalid, "the enrollment of contract %s in force was recorded after %s", n, at)
		}
		if slices.EqualFunc(current.enrollees, all, sameEnrollee) {
			versions = slices.Clone(versions)
			if at.After(current.asOf) {
				versions[len(versions)-1].asOf = at
			}
			c.versions[n] = versions
			return domain.EnrollmentVersion(len(versions)), nil
		}
	}
	if c.versions == nil {
		c.versions = map[domain.ContractNumber][]enrollment{}
	}
	c.versions[n] = append(slices.Clip(versions), enrollment{at, at, all})
	return domain.EnrollmentVersion(len(versions) + 1), nil
}

func sameEnrollee(a, b domain.Enrollee) bool {
	return a.Patient == b.Patient && a.Months == b.Months && a.IDs.Current == b.IDs.Current && slices.Equal(a.IDs.Historic, b.IDs.Historic)
}

// AsOf implements ports.Coverage.
func (c *coverage) AsOf(ctx context.Context, n domain.ContractNumber, v domain.EnrollmentVersion) (time.Time, error) {
	versions := c.of(n)
	if v < 1 || int(v) > len(versions) {
		return time.Time{}, domain.Errorf(domain.NotFound, "contract %s has no enrollment version %d", n, v)
	}
	return versions[v-1].asOf, ctx.Err()
}
