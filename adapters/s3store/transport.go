package s3store

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Times after which a store that says nothing counts as away. A transfer as a
// whole may take as long as it likes.
const (
	connectWithin = 5 * time.Second
	answerWithin  = time.Minute
	silentFor     = time.Minute
)

func newTransport() *http.Transport {
	dialer := net.Dialer{Timeout: connectWithin}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return moving{conn}, nil
		},
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       silentFor / 2,
		TLSHandshakeTimeout:   connectWithin,
		ResponseHeaderTimeout: answerWithin,
		DisableCompression:    true, // files are gzip already, and are passed on as they are
	}
}

// moving is a connection that fails when nothing goes through it for long.
type moving struct{ net.Conn }

func (c moving) Read(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(silentFor)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c moving) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(silentFor)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
