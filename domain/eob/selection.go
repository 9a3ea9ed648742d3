package eob

import (
	"slices"
	"time"

	"cms.gov/ab2d/domain"
)

// Verdict is what becomes of a claim: Keep, or the reason it stays behind.
type Verdict string

// The verdicts.
const (
	Keep          Verdict = "keep"
	NotShared     Verdict = "type_not_shared"       // Part D, or a type that is not known
	Restricted    Verdict = "restricted"            // 42 CFR Part 2 data
	OthersClaim   Verdict = "other_patient"         // not of the enrollee asked for
	NotCovered    Verdict = "outside_coverage"      // served outside the enrolled months or before the data start
	NotUpdated    Verdict = "not_updated_since"     // last updated at or before _since
	TooNew        Verdict = "updated_after_through" // last updated after the transaction time or _until
	UpdateUnknown Verdict = "update_time_unknown"   // no lastUpdated, while _since is given
	NotAskedFor   Verdict = "not_asked_for"         // meets none of the filters of the export
	Elsewhere     Verdict = "other_contract"        // comes with an earlier contract of the same job
	Repeated      Verdict = "repeated"              // the source sent the same claim id again
)

// Selection decides which of one enrollee's claims an export delivers.
type Selection struct {
	Patient domain.PatientID
	Now     domain.Entitlement // as planning fixed it
	Before  domain.Entitlement // as it was at Since; what it did not cover then is delivered in full now
	Since   time.Time          // zero for everything
	Through time.Time          // the transaction time, or an earlier _until

	Filters domain.Filters // of the export; a claim must meet one of them, if there are any

	// Earlier are the selections of the same person under contracts that come before
	// this one in the job: a claim that several entitle to comes with the first.
	Earlier []Selection
}

// Decide returns what becomes of a claim with these facts.
//
// A claim that was not covered at Since but is now was never delivered before,
// whenever it was last updated: it is delivered whatever its age, so that no
// claim falls between two windows.
func (s Selection) Decide(f Facts) Verdict {
	switch {
	case !f.Type.Shared():
		return NotShared
	case f.Restricted:
		return Restricted
	case string(f.Patient) != string(s.Patient):
		return OthersClaim
	case !s.Now.Covers(f.Period):
		return NotCovered
	case f.LastUpdated.After(s.Through):
		return TooNew
	case len(s.Filters) > 0 && !s.Filters.Meets(f.Period, f.Type.String(), f.Status.String()):
		return NotAskedFor
	case s.Since.IsZero() || f.LastUpdated.After(s.Since) || !s.Before.Covers(f.Period):
		if slices.ContainsFunc(s.Earlier, func(e Selection) bool { return e.Decide(f) == Keep }) {
			return Elsewhere
		}
		return Keep
	case f.LastUpdated.IsZero():
		return UpdateUnknown
	}
	return NotUpdated
}
