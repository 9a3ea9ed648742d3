package fiberapi

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/domain"
)

// room bounds how many of something go on at once. Whoever finds none is turned
// away at once: a queue of requests would only grow, and each would be answered
// when its client has given up.
type room chan struct{}

// newRoom has n places; 0 does not bound.
func newRoom(n int) room {
	if n == 0 {
		return nil
	}
	return make(room, n)
}

// enter takes a place until leave is called, or reports that there is none.
func (r room) enter() (leave func(), ok bool) {
	if r == nil {
		return func() {}, true
	}
	select {
	case r <- struct{}{}:
		return func() { <-r }, true
	default:
		return nil, false
	}
}

// busyRetry is when to come back to a server that has no room.
const busyRetry = 5 * time.Second

// admit turns requests away when as many are being answered as may be. A
// file's transfer runs after its request and has a room of its own.
func (a *api) admit(c *fiber.Ctx) error {
	leave, ok := a.answering.enter()
	if !ok {
		return busy("The server is answering as many requests as it can.")
	}
	defer leave()
	return c.Next()
}

func busy(message string) error {
	err := domain.Errorf(domain.Unavailable, "%s", message).
		WithNext("Try again after Retry-After. Nothing is lost: running exports go on, and a download that broke off can be continued with Range.")
	err.RetryAfter = busyRetry
	return err
}
