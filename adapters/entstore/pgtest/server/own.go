package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Mode is a way to stop a server.
type Mode syscall.Signal

// The ways to stop a server.
const (
	Fast      = Mode(syscall.SIGINT)  // ends connections, keeps everything in order
	Immediate = Mode(syscall.SIGQUIT) // ends everything at once; the next start recovers
	Killed    = Mode(syscall.SIGKILL) // as when the machine loses its processes: nobody says goodbye
)

// Owned is a Postgres of the caller's own, to be stopped and started again at
// the same address. It syncs nothing to disk, which only a crash of the whole
// machine would show, but a transaction that is committed survives every Mode.
type Owned struct {
	dir, bin string
	settings []string
	who      *syscall.SysProcAttr
	keeper   *exec.Cmd
	keep     io.Closer // while it is open the folder stays

	pid  int
	gone chan struct{} // closed when the running server has ended; nil while it is stopped
}

// caretaker makes the data and waits for its standard input to end, which it
// does when the program that started it is no more. Then it ends what still
// runs and removes the folder.
const caretaker = `
dir=$1 bin=$2
cd "$dir" || exit 1
"$bin/initdb" -D data -U ab2d --auth=trust --locale=C --encoding=UTF8 --no-sync >log 2>&1 || { cat log >&2; exit 1; }
echo made
cat >/dev/null
pid=$(head -n 1 data/postmaster.pid 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
while [ -n "$pid" ] && [ -e data/postmaster.pid ] && kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
rm -rf "$dir"
`

// Own makes a server with a data folder of its own and starts it. Each setting
// is name=value, as max_connections=20. Unlike Start it always uses the
// programs of this machine. The server and its folder go away with Close, or
// with this program, however that ends.
func Own(settings ...string) (*Owned, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, credential, err := folder()
	if err != nil {
		return nil, err
	}
	o := &Owned{dir: dir, bin: bin, settings: settings,
		who: &syscall.SysProcAttr{Credential: credential, Setpgid: true}} // as for the keeper
	if err := o.make(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := o.Start(); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

func (o *Owned) make() error {
	cmd := exec.Command("/bin/sh", "-c", caretaker, "sh", o.dir, o.bin)
	said := &bytes.Buffer{}
	cmd.Dir, cmd.SysProcAttr, cmd.Stderr = o.dir, o.who, said
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("make the data of Postgres: %w", err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("made"))); err != nil {
		in.Close()
		cmd.Wait() //nolint:errcheck // what it said is what matters
		return fmt.Errorf("make the data of Postgres in %s: %s", o.dir, said)
	}
	o.keeper, o.keep = cmd, in
	return nil
}

// URL returns the address of the server's one database, which stays the same.
func (o *Owned) URL() string {
	u := url.URL{Scheme: "postgres", Path: "/postgres", RawQuery: url.Values{"host": {o.dir}, "user": {"ab2d"}}.Encode()}
	return u.String()
}

// Log returns what the server has said since it was made.
func (o *Owned) Log() (string, error) {
	said, err := os.ReadFile(o.log())
	return string(said), err
}

// Start starts the stopped server and returns when it answers.
func (o *Owned) Start() error {
	if o.gone != nil {
		return errors.New("the server runs already")
	}
	admin, err := url.Parse(o.URL())
	if err != nil {
		return err
	}
	// What a killed server leaves in memory may be in use for a moment still, and
	// then the new one ends at once.
	for deadline := time.Now().Add(startsWithin); ; time.Sleep(50 * time.Millisecond) {
		if err := o.launch(); err != nil {
			return fmt.Errorf("start Postgres: %w", err)
		}
		if err = (&Server{admin: admin, gone: o.gone}).ready(); err == nil {
			return nil
		}
		o.Stop(Immediate)
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(o.log())
			return fmt.Errorf("start Postgres in %s: %w\n%s", o.bin, err, said)
		}
	}
}

func (o *Owned) log() string { return filepath.Join(o.dir, "log") }

func (o *Owned) launch() error {
	args := []string{"-D", "data", "-k", o.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300"}
	for _, s := range o.settings {
		args = append(args, "-c", s)
	}
	log, err := os.OpenFile(o.log(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(o.bin, "postgres"), args...)
	cmd.Dir, cmd.SysProcAttr, cmd.Stdout, cmd.Stderr = o.dir, o.who, log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	o.pid, o.gone = cmd.Process.Pid, gone
	go func() {
		cmd.Wait() //nolint:errcheck // its log says why it ended
		close(gone)
	}()
	return nil
}

// Stop stops the server and returns when it is gone. A stopped one stays so.
func (o *Owned) Stop(how Mode) {
	if o.gone == nil {
		return
	}
	select {
	case <-o.gone: // by itself
	default:
		victims := []int{o.pid}
		if how == Killed {
			victims = append(victims, children(o.pid)...) // which would go on to the end of their statement
		}
		for _, pid := range victims {
			syscall.Kill(pid, syscall.Signal(how)) //nolint:errcheck // it may be gone by now
		}
		<-o.gone
	}
	o.gone = nil
}

func children(pid int) (pids []int) {
	said, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, word := range strings.Fields(string(said)) {
		if child, err := strconv.Atoi(word); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}

// Close ends the server and removes its folder.
func (o *Owned) Close() {
	o.Stop(Immediate)
	o.keep.Close()
	o.keeper.Wait() //nolint:errcheck // there is nothing more to do about it
}
