package ports

import "time"

// Clock tells the time. Rules take times as arguments; only use cases ask.
type Clock interface {
	Now() time.Time
}
