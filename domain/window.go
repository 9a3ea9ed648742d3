package domain

import "time"

// Window is the span of last-updated times that an export is asked for. The
// zero Window asks for everything.
type Window struct {
	Since time.Time // claims last updated after it; zero for no bound
	Until time.Time // claims last updated at or before it; zero for no bound
}

// Check refuses a window that cannot hold anything by its own words: one that
// starts in the future or ends before it starts. An end in the future is
// harmless, since nothing after the transaction time is delivered.
func (w Window) Check(now time.Time) error {
	if w.Since.After(now) {
		return Errorf(Invalid, "_since is %s, which is in the future.", instant(w.Since)).
			WithNext("Give the transactionTime of your last export, or leave _since out to get everything.")
	}
	if !w.Since.IsZero() && !w.Until.IsZero() && w.Until.Before(w.Since) {
		return Errorf(Invalid, "_until (%s) is before _since (%s).", instant(w.Until), instant(w.Since)).
			WithNext("Give an _until after _since, or leave it out.")
	}
	return nil
}

func instant(t time.Time) string { return t.Format(time.RFC3339Nano) }

// Through returns the last instant whose updates the export delivers: the
// transaction time or _until, whichever is earlier.
func (w Window) Through(transactionTime time.Time) time.Time {
	if !w.Until.IsZero() && w.Until.Before(transactionTime) {
		return w.Until
	}
	return transactionTime
}

// TransactionTime fixes the instant that an export is as of: the earlier of
// kick-off and what the source vouches to be complete through, less a margin
// for clocks that differ, but not before _since: an export that ended before it
// began would make the next one deliver again what the one before delivered. It
// is told in milliseconds and so is cut to them, and giving it back as _since
// loses nothing.
//
// While the source does not vouch for as much as _since, which it may have done
// before and will again (a replica that lags), it fails with unavailable.
func TransactionTime(kickOff, completeThrough time.Time, w Window, margin time.Duration) (time.Time, error) {
	vouched := completeThrough.Add(-margin)
	t := kickOff.Add(-margin)
	if vouched.Before(t) {
		t = vouched
	}
	t = t.UTC().Truncate(time.Millisecond)
	if !t.Before(w.Since) {
		return t, nil
	}
	since := w.Since.UTC().Add(time.Millisecond - 1).Truncate(time.Millisecond)
	if vouched.Before(since) {
		return time.Time{}, &Error{Code: Unavailable, RetryAfter: time.Second,
			Message: "The claims source does not have everything up to _since yet.", Next: "Wait; the export begins as soon as it has."}
	}
	return since, nil
}
