package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// kept is a process that is started again whenever it ends, as an init system
// would do it.
type kept struct {
	name string
	args []string
	log  string

	mu       sync.Mutex
	cmd      *exec.Cmd
	over     bool // it is not started again
	killed   bool // it ends because of us
	ready    chan struct{}
	once     sync.Once
	byItself int // how often it ended without us
	ended    chan struct{}
}

// keep starts a process and keeps it until the test ends.
func keep(t *testing.T, name, logs string, args ...string) *kept {
	t.Helper()
	k := &kept{name: name, args: append([]string{"serve", "--log", "warn"}, args...), log: filepath.Join(logs, name+".log"),
		ready: make(chan struct{}), ended: make(chan struct{})}
	go k.run()
	t.Cleanup(func() {
		k.stop()
		if t.Failed() {
			t.Logf("the last that %s said:\n%s", name, k.tail(30))
		}
	})
	return k
}

func (k *kept) run() {
	defer close(k.ended)
	for {
		k.mu.Lock()
		if k.over {
			k.mu.Unlock()
			return
		}
		out, err := k.start()
		k.mu.Unlock()
		if err != nil {
			panic(err) // the program is there; this machine is out of something
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "FHIR R4") || strings.Contains(lines.Text(), "is ready as") {
				k.once.Do(func() { close(k.ready) })
			}
		}
		_ = k.cmd.Wait()
		k.mu.Lock()
		if !k.killed {
			k.byItself++
		}
		k.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
	}
}

func (k *kept) start() (*bufio.Reader, error) {
	log, err := os.OpenFile(k.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	k.killed = false
	k.cmd = exec.Command(program, k.args...)
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	k.cmd.Stderr = log
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return bufio.NewReader(out), k.cmd.Start()
}

// signal sends a signal to the process that runs now.
func (k *kept) signal(s syscall.Signal) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cmd != nil {
		k.killed = k.killed || s == syscall.SIGKILL
		_ = k.cmd.Process.Signal(s) // it may have ended just now
	}
}

func (k *kept) stop() {
	k.mu.Lock()
	k.over = true
	k.mu.Unlock()
	k.signal(syscall.SIGKILL)
	<-k.ended
}

// up waits until the process answered for the first time.
func (k *kept) up(t *testing.T) {
	t.Helper()
	select {
	case <-k.ready:
	case <-time.After(within):
		t.Fatalf("%s is not ready after %s:\n%s", k.name, within, k.tail(30))
	}
}

func (k *kept) tail(n int) string {
	said, err := os.ReadFile(k.log)
	if err != nil {
		return fmt.Sprint(err)
	}
	lines := bytes.Split(bytes.TrimSpace(said), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}
