package domain

import "time"

// IdempotencyKey is a name that a client gave to a kick-off, so that it can be
// sent again when the answer was lost and still starts one export (the header
// Idempotency-Key, after the draft of the IETF's HTTPAPI working group).
type IdempotencyKey struct {
	Client  ClientID
	Key     string
	Request string // a digest of the request that it came with
	Job     JobID  // what that request started
	At      time.Time
}

// IdempotencyLife is how long a key stands for its job. Nobody sends a request
// again after a day.
const IdempotencyLife = 24 * time.Hour

// IdempotencyKeyLimit is how many characters a key may have.
const IdempotencyKeyLimit = 255

// Again returns the job that a request stands for which came with the key once
// more, and refuses another request: who sends one wants another export, or has
// made a mistake, and must not take this job for it.
func (k IdempotencyKey) Again(request string) (JobID, error) {
	if k.Request != request {
		return "", Errorf(Reused, "This Idempotency-Key came with another request before, which started the job %s.", k.Job).
			WithNext("Give each new request a key of its own, and send a request again exactly as it was.")
	}
	return k.Job, nil
}
