package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// These lengthen the test of a client that is killed.
const (
	exportKills    = "AB2D_TEST_EXPORT_KILLS"    // how often it is killed; 6
	exportContract = "AB2D_TEST_EXPORT_CONTRACT" // what it exports; S0000
	exportSeed     = "AB2D_TEST_EXPORT_SEED"     // a number that decides when; 1
)

// The client is killed again and again, at moments drawn from a seed, over a
// connection that drops. Nobody tells it anything but the same command. It ends
// with one export and the files of the server, which lets each be fetched once.
func TestAKilledClientEndsWithTheFilesOfTheServer(t *testing.T) {
	kills, contract, seed := 6, "S0000", uint64(1)
	var err error
	if v := os.Getenv(exportKills); v != "" {
		if kills, err = strconv.Atoi(v); err != nil {
			t.Fatalf("%s: %v", exportKills, err)
		}
	}
	if v := os.Getenv(exportContract); v != "" {
		contract = v
	}
	if v := os.Getenv(exportSeed); v != "" {
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatalf("%s: %v", exportSeed, err)
		}
	}
	ctx := t.Context()
	random := rand.New(rand.NewPCG(seed, 0))
	listen := freeAddress(t)
	sponsor := sponsorOf(t, contract)
	size := int64(sponsor.Members) * 15_000 // of the files as they are sent, roughly
	wire := dropping(t, listen, random, size/15)
	start(t, t.TempDir(), listen, "--public-url", "http://"+wire.address, "--partition-members", strconv.Itoa(max(sponsor.Members/20, 10)), "--export-rate", "0", "--export-address-rate", "0", "--token-rate", "0", "--token-address-rate", "0")

	dir := filepath.Join(t.TempDir(), "out")
	client := func(ctx context.Context) (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.CommandContext(ctx, program, "export", "--url", "http://"+wire.address, "--contract", contract, "--out", dir)
		cmd.Env = append(os.Environ(), "AB2D_CLIENT_ID="+string(sponsor.Client), "AB2D_CLIENT_SECRET="+sponsor.Secret)
		told := &bytes.Buffer{}
		cmd.Stdout, cmd.Stderr = told, told
		return cmd, told
	}
	for kill := range kills {
		// Some moments are in the first few kilobytes, before there is a file, and
		// the others spread over what is still to come.
		left := size - fetchedOf(t, dir)
		after := random.Int64N(4000)
		if kill%3 != 0 {
			after = random.Int64N(min(2*left/int64(kills-kill+1), left*4/5) + 1)
		}
		held := wire.hold(after)
		cmd, told := client(ctx)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-held:
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-ended
		case err := <-ended:
			t.Fatalf("it ended (%v) before it could be killed for the %d. time:\n%s", err, kill+1, told)
		}
		wire.release()
	}
	before := fetchedOf(t, dir)
	last, cancel := context.WithTimeout(ctx, 10*within)
	defer cancel()
	cmd, told := client(last)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, told)
	}
	t.Logf("%d times killed, %d connections of %d dropped; %d bytes were there before the last run\n%s", kills, wire.dropped, wire.opened, before, told)

	// Now without anything in between, ask the server what it has.
	s := &walker{base: "http://" + listen, tokenURL: "http://" + listen + "/oauth2/aus2r7y3gdaFMKBol297/v1/token", say: t.Logf}
	if err := s.signIn(ctx, sponsor); err != nil {
		t.Fatal(err)
	}
	res, err := s.get(ctx, s.base+"/api/v2/fhir/Job", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var jobs struct {
		Entry []struct{ FullURL string }
	}
	if err := json.NewDecoder(res.Body).Decode(&jobs); err != nil || len(jobs.Entry) != 1 {
		t.Fatalf("the server has %d exports of the client, %v", len(jobs.Entry), err)
	}
	var state struct{ Job string }
	text, err := os.ReadFile(filepath.Join(dir, ".ab2d", "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	m, err := s.follow(ctx, strings.Replace(state.Job, wire.address, listen, 1))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"manifest.json"}
	for _, o := range m.Output {
		name := o.URL[strings.LastIndexByte(o.URL, '/')+1:]
		want = append(want, name)
		if got := sumOf(t, filepath.Join(dir, name)); "sha256:"+got != o.Extension[0].ValueString {
			t.Errorf("%s has the sha256 %s, the server's %s", name, got, o.Extension[0].ValueString)
		}
	}
	slices.Sort(want)
	var have []string
	for _, path := range filesUnder(t, dir) {
		if !strings.Contains(path, "/.ab2d/") {
			have = append(have, filepath.Base(path))
		}
	}
	if !slices.Equal(have, want) || len(want) < 5 {
		t.Errorf("the folder has %v, want %v", have, want)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".ab2d", "*")); err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// fetchedOf adds up the bytes of files that a client has, as they were sent.
func fetchedOf(t *testing.T, dir string) (n int64) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, ".ab2d", "state.json"))
	if os.IsNotExist(err) {
		return 0
	} else if err != nil {
		t.Fatal(err)
	}
	var state struct {
		Files []struct {
			Name      string
			WireBytes int64
			Placed    bool
		}
	}
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	for _, f := range state.Files {
		if f.Placed {
			n += f.WireBytes
		} else if info, err := os.Stat(filepath.Join(dir, ".ab2d", f.Name+".part")); err == nil {
			n += info.Size()
		}
	}
	return n
}

func sumOf(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// line is a connection between client and server that drops: each connection
// carries so many bytes and is cut. It can also be held: after so many bytes
// for the client nothing more comes through until it is released.
type line struct {
	address string

	mu      sync.Mutex
	random  *rand.Rand
	most    int64 // bytes that a connection carries
	open    map[net.Conn]bool
	left    int64 // bytes until it is held, -1 for never
	held    chan struct{}
	gone    chan struct{} // closed by release
	opened  int
	dropped int
}

func dropping(t *testing.T, server string, random *rand.Rand, most int64) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &line{address: l.Addr().String(), random: rand.New(rand.NewPCG(random.Uint64(), 1)), most: most, open: map[net.Conn]bool{}, left: -1, gone: make(chan struct{})}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { w.carry(c, server) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		w.release()
		all.Wait()
	})
	return w
}

// hold has the line stop after so many more bytes for the client, and returns
// what is closed then.
func (w *line) hold(after int64) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left, w.held, w.gone = after, make(chan struct{}), make(chan struct{})
	return w.held
}

// release cuts all connections, and lets new ones through.
func (w *line) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = -1
	select {
	case <-w.gone:
	default:
		close(w.gone)
	}
	for c := range w.open {
		c.Close()
	}
}

func (w *line) carry(client net.Conn, server string) {
	defer client.Close()
	up, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer up.Close()
	w.mu.Lock()
	w.opened++
	budget := 5_000 + w.random.Int64N(w.most)
	gone := w.gone
	w.open[client], w.open[up] = true, true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.open, client)
		delete(w.open, up)
		w.mu.Unlock()
	}()
	go func() {
		_, _ = io.Copy(up, client) // ends with either
		up.Close()
	}()
	buffer := make([]byte, 4096)
	for {
		n, err := up.Read(buffer)
		if err != nil {
			return
		}
		w.mu.Lock()
		hold := false
		if w.left >= 0 {
			if w.left -= int64(n); w.left < 0 {
				n, hold = n+int(w.left), true
				w.left = 0
				select {
				case <-w.held:
				default:
					close(w.held)
				}
			}
		}
		w.mu.Unlock()
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
		if hold {
			<-gone
			return
		}
		if budget -= int64(n); budget < 0 {
			w.mu.Lock()
			w.dropped++
			w.mu.Unlock()
			return
		}
	}
}

// What a sponsor's engineer meets who gets something wrong.
func TestTheClientTellsWhatIsWrong(t *testing.T) {
	s := start(t, t.TempDir(), "127.0.0.1:0")
	dir := t.TempDir()
	for _, tc := range []struct {
		args []string
		env  string
		code int
		want string
	}{
		{[]string{"--contract", "S0000"}, "", 2, "--out"},
		{[]string{"--out", dir}, "", 2, "say what to export"},
		{[]string{"--contract", "S0000", "--patient-level", "--out", dir}, "", 2, "exclude each other"},
		{[]string{"--contract", "S0000", "--out", dir, "--since", "yesterday"}, "", 2, "write an instant"},
		{[]string{"--contract", "S0000", "--out", dir, "--no-such-flag"}, "", 2, "no-such-flag"},
		{[]string{"--contract", "S0000", "--out", dir, "--client-id", "me"}, "", 2, "has no secret"},
		{[]string{"--contract", "S0000", "--out", dir, "--client-id", "me"}, "AB2D_CLIENT_SECRET=wrong", 4, "invalid_client"},
		{[]string{"--group", "S0001", "--out", dir, "--client-id", string(sponsorOf(t, "S0000").Client)}, "AB2D_CLIENT_SECRET=" + sponsorOf(t, "S0000").Secret, 4, "S0001"},
		{[]string{"--contract", "S0000", "--out", dir, "--param", "_colour=red"}, "", 2, "_colour"},
		{[]string{"--job", s.base + "/api/v2/fhir/Job/00000000-0000-4000-8000-000000000000/$status", "--group", "", "--out", dir, "--client-id", string(sponsorOf(t, "S0000").Client)}, "AB2D_CLIENT_SECRET=" + sponsorOf(t, "S0000").Secret, 5, "--new"},
	} {
		cmd := exec.CommandContext(patience(t), program, append([]string{"export", "--url", s.base}, tc.args...)...)
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, tc.env)
		out, _ := cmd.CombinedOutput() // its exit code is looked at
		if cmd.ProcessState.ExitCode() != tc.code || !bytes.Contains(out, []byte(tc.want)) {
			t.Errorf("%v: exit code %d, want %d with %q:\n%s", tc.args, cmd.ProcessState.ExitCode(), tc.code, tc.want, out)
		}
	}
}

// Claims that cannot be had at first come when they are asked for again, with
// the request that the server has ready.
func TestTheClientAsksAgainForWhoeverIsMissing(t *testing.T) {
	ctx := patience(t)
	data, listen := t.TempDir(), freeAddress(t)
	s := start(t, data, listen, "--claims-faults", "seed=3,lose=0.05", "--failed-share", "0.5", "--fetch-backoff", "1ms", "--log", "error")
	dir := filepath.Join(t.TempDir(), "out")
	run := func(args ...string) (code int, out []byte, last map[string]any) {
		t.Helper()
		cmd := exec.CommandContext(ctx, program, append([]string{"export", "--url", s.base, "--out", dir, "--json"}, args...)...)
		cmd.Env = append(os.Environ(), "AB2D_CLIENT_ID="+string(sponsorOf(t, "S0000").Client), "AB2D_CLIENT_SECRET="+sponsorOf(t, "S0000").Secret)
		out, _ = cmd.Output() // its exit code is looked at
		for l := range bytes.Lines(out) {
			last = nil
			if err := json.Unmarshal(l, &last); err != nil {
				t.Fatalf("%q: %v", l, err)
			}
		}
		return cmd.ProcessState.ExitCode(), out, last
	}
	code, out, last := run("--contract", "S0000")
	if code != 3 || last["event"] != "failed" || !strings.Contains(fmt.Sprint(last["next"]), "--retry-failed") || !bytes.Contains(out, []byte(`"problems"`)) {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	s.kill()
	start(t, data, listen) // with a source that has everybody
	code, out, last = run("--retry-failed")
	if code != 0 || last["event"] != "done" || last["lines"].(float64) < 1 || len(filesUnder(t, filepath.Join(dir, "retry-1"))) < 3 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	if code, out, last = run("--retry-failed"); code != 0 || !strings.Contains(fmt.Sprint(last["text"]), "nobody is missing") {
		t.Errorf("once more: exit code %d\n%s", code, out)
	}
}
