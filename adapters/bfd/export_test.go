package bfd

import (
	"context"
	"net"
)

// DialBy has connections made by a test's own idea of where the server is.
func (s *Source) DialBy(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.client.dial = dial
	s.client.renew(s.client.since)
}
