package produce

import (
	"context"
	"iter"

	"cms.gov/ab2d/domain"
)

// roll yields the enrollees of one version of a contract whom the job is about,
// in the byte order of their ids: all in the range, or those of them whom it
// names. Of a job that names few nobody else is read.
func (u *UseCase) roll(ctx context.Context, job domain.ExportJobState, n domain.ContractNumber, v domain.EnrollmentVersion, keys domain.KeyRange) iter.Seq2[domain.Enrollee, error] {
	if len(job.Terms.Patients) == 0 {
		return u.Coverage.Members(ctx, n, v, keys)
	}
	return func(yield func(domain.Enrollee, error) bool) {
		for _, id := range job.Terms.PatientsIn(keys) {
			for e, err := range u.Coverage.Members(ctx, n, v, domain.KeyRange{From: id, To: id}) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}
