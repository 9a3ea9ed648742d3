package fiberapi

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// bound keeps the kernel from holding more than a piece that has not been sent:
// a copy takes memory, four megabytes a client else, and leaves the processor's cache
// before it is sent. What is under way to a client far away is not bounded by it.
func bound(conn net.Conn) error {
	tcp, plain := conn.(*net.TCPConn)
	if !plain {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	if controlled := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, piece)
	}); controlled != nil {
		return controlled
	}
	return os.NewSyscallError("setsockopt", err)
}

// onDisk is what an *os.File can do that is needed here.
type onDisk interface {
	io.Seeker
	syscall.Conn
	Stat() (os.FileInfo, error)
}

// sendMapped sends the next n bytes of a file that lies on disk by writing them
// from the page cache: the file is mapped, and only the kernel reads the mapping,
// so that a file which is cut short meanwhile is an error and no signal. With
// sendfile the kernel hands on page after page of 4 KB, which here cost twice the
// time of copying them. It reports whether file and connection are such; it leaves
// the offset of the file behind what was sent.
func sendMapped(conn net.Conn, body io.Reader, n int64) (sent int64, ok bool, err error) {
	tcp, plain := conn.(*net.TCPConn)
	file, isOnDisk := body.(onDisk)
	if !plain || !isOnDisk {
		return 0, false, nil
	}
	at, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, true, err
	}
	if info, err := file.Stat(); err != nil {
		return 0, true, err
	} else if n = min(n, info.Size()-at); n <= 0 { // a page may be mapped beyond the end, with zeros
		return 0, true, nil
	}
	lead := at % int64(os.Getpagesize())
	raw, err := file.SyscallConn()
	if err != nil {
		return 0, true, err
	}
	var window []byte
	if controlled := raw.Control(func(fd uintptr) {
		window, err = syscall.Mmap(int(fd), at-lead, int(lead+n), syscall.PROT_READ, syscall.MAP_SHARED)
	}); controlled != nil {
		err = controlled
	}
	if err != nil {
		return 0, true, os.NewSyscallError("mmap", err)
	}
	m, err := tcp.Write(window[lead:])
	if unmapped := syscall.Munmap(window); err == nil {
		err = os.NewSyscallError("munmap", unmapped)
	}
	if _, moved := file.Seek(at+int64(m), io.SeekStart); err == nil {
		err = moved
	}
	return int64(m), true, err
}
