//go:build !linux

package fiberapi

import (
	"io"
	"net"
)

func bound(net.Conn) error { return nil }

// sendMapped is for Linux; elsewhere files go by whatever ReadFrom does.
func sendMapped(net.Conn, io.Reader, int64) (int64, bool, error) { return 0, false, nil }
