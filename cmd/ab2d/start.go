//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// startServer starts a program of ours as a sandbox and returns its address once
// it answers, empty for one that only works. It dies with this process, whatever
// happens to it, where the system can do that.
func startServer(ctx context.Context, program, dir string, settings ...string) (*exec.Cmd, string, error) {
	return startCommand(ctx, []string{program}, dir, settings...)
}

// startCommand is startServer for a program with words before its own.
func startCommand(ctx context.Context, command []string, dir string, settings ...string) (*exec.Cmd, string, error) {
	words := slices.Concat(command, []string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--log", "warn"}, settings)
	server := exec.CommandContext(ctx, words[0], words[1:]...)
	server.SysProcAttr = dying()
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := server.Start(); err != nil {
		return nil, "", err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		_, address, answers := strings.Cut(lines.Text(), "FHIR R4")
		if _, console, alone := strings.Cut(lines.Text(), "Console alone"); alone {
			address, answers = console, true
		}
		if answers || strings.Contains(lines.Text(), "is ready as") {
			go func() {
				for lines.Scan() { // the rest is for people, but the pipe must not fill
				}
			}()
			return server, strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(address), "/api/v2/fhir"), "/console/"), nil
		}
	}
	return nil, "", errors.Join(errors.New("the server ended before it answered"), server.Wait())
}

// end stops a process that may have ended already.
func end(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
}

func freeLoopback() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
