package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"cms.gov/ab2d/adapters/hpmsmock"
)

// upstreams are both stand-ins as processes, and the settings that point at them.
type upstreams struct {
	*testing.T
	bfd, hpms string // addresses
	list      string // HPMS's list
	running   map[string]*exec.Cmd
}

func startUpstreams(t *testing.T) *upstreams {
	u := &upstreams{T: t, bfd: freeAddress(t), hpms: freeAddress(t), list: filepath.Join(t.TempDir(), "list.json"), running: map[string]*exec.Cmd{}}
	t.Cleanup(func() {
		for name := range u.running {
			u.stop(name)
		}
	})
	return u
}

// start starts a stand-in, in place of the one of that name.
func (u *upstreams) start(name, address string, flags ...string) {
	u.Helper()
	u.stop(name)
	cmd := exec.Command(program, append([]string{"mock", name, "--listen", address}, flags...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		u.Fatal(err)
	}
	u.running[name] = cmd
	until(u.T, "the stand-in for "+name, func() bool {
		res, err := http.Get("http://" + address)
		if err == nil {
			res.Body.Close()
		}
		return err == nil
	})
}

func (u *upstreams) stop(name string) {
	if cmd := u.running[name]; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		delete(u.running, name)
	}
}

// attested has HPMS say which of the sandbox's contracts are attested, and since when.
func (u *upstreams) attested(since map[string]string) {
	u.Helper()
	list := sandboxContracts()
	for i, c := range list {
		day, ok := since[c.ContractID]
		list[i].Attested, list[i].AttestationDate = ok, day
	}
	u.lists(list)
}

func (u *upstreams) lists(list []hpmsmock.Contract) {
	u.Helper()
	content, err := json.Marshal(list)
	if err != nil {
		u.Fatal(err)
	}
	// By a rename, so that the stand-in never reads half of it.
	if err := os.WriteFile(u.list+".new", content, 0o600); err != nil {
		u.Fatal(err)
	}
	if err := os.Rename(u.list+".new", u.list); err != nil {
		u.Fatal(err)
	}
}

func (u *upstreams) settings() []string {
	return []string{"--bfd-url", "http://" + u.bfd, "--hpms-url", "http://" + u.hpms, "--hpms-drop-share", "1", "--earliest-served", "2026-01-01", "--enrollment-page", "40",
		"--margin", "200ms", "--lease", "10s"}
}

// command runs a command beside the process.
func (u *upstreams) command(dir string, args ...string) (string, error) {
	u.Helper()
	cmd := exec.CommandContext(patience(u.T), program, append(append(args, "--data-dir", dir), u.settings()...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (u *upstreams) must(dir string, args ...string) string {
	u.Helper()
	out, err := u.command(dir, args...)
	if err != nil {
		u.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// exported runs an export and returns how many enrollees its manifest tells.
func exported(ctx context.Context, t *testing.T, s *server) int {
	t.Helper()
	status, _ := s.kickOff(ctx, t, "/api/v2/fhir/Group/S0000/$export")
	if _, err := s.follow(ctx, status); err != nil {
		t.Fatal(err)
	}
	res, err := s.get(ctx, status, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var m struct {
		Extension map[string]json.RawMessage `json:"extension"`
	}
	if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
		t.Fatal(err)
	}
	var accounts []struct {
		Enrollees    int    `json:"enrollees"`
		Exported     int    `json:"exported"`
		EnrolledAsOf string `json:"enrolledAsOf"`
	}
	if err := json.Unmarshal(m.Extension["https://ab2d.cms.gov/enrollees"], &accounts); err != nil || len(accounts) != 1 || accounts[0].EnrolledAsOf == "" {
		t.Fatalf("the manifest says %s, %v", m.Extension["https://ab2d.cms.gov/enrollees"], err)
	}
	return accounts[0].Enrollees
}

// A contract attests in HPMS, its enrollment is taken in from BFD, and it exports.
// What then goes wrong upstream takes nothing away, and a process that is killed
// while it takes enrollment in goes on where it was.
func TestFromHPMSOverEnrollmentToAnExport(t *testing.T) {
	ctx := patience(t)
	u := startUpstreams(t)
	u.attested(map[string]string{"S0001": "2019-11-01 00:00:00"})
	u.start("bfd", u.bfd)
	u.start("hpms", u.hpms, "--list", u.list)
	dir, listen := t.TempDir(), freeAddress(t)
	s := start(t, dir, listen, u.settings()...)
	if err := s.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	kickOff := func() int {
		t.Helper()
		res, err := s.get(ctx, s.base+"/api/v2/fhir/Group/S0000/$export", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	until(t, "the process that has just started to have asked HPMS", func() bool {
		out, err := u.command(dir, "hpms", "refresh")
		if err != nil && !strings.Contains(out, "being asked by another process") {
			t.Fatalf("%v\n%s", err, out)
		}
		return err == nil
	})
	if code := kickOff(); code != http.StatusForbidden {
		t.Errorf("an export of what HPMS does not list as attested: %d", code)
	}

	// It attests; the export waits for the enrollment and has it.
	u.attested(map[string]string{"S0001": "2019-11-01 00:00:00", "S0000": "2026-01-05 00:00:00"})
	if out := u.must(dir, "hpms", "refresh"); !strings.Contains(out, "S0000  reattest") || !strings.Contains(out, "attestor not known") {
		t.Errorf("HPMS was followed:\n%s", out)
	}
	members := exported(ctx, t, s)
	if members < 10 {
		t.Errorf("%d enrollees", members)
	}

	// HPMS is away, or lists nothing: nobody is revoked.
	u.lists(nil)
	if out, err := u.command(dir, "hpms", "refresh"); err == nil || !strings.Contains(out, "lists no contract at all") {
		t.Errorf("an empty list: %v\n%s", err, out)
	}
	u.stop("hpms")
	if out, err := u.command(dir, "hpms", "refresh"); err == nil {
		t.Errorf("HPMS is away:\n%s", out)
	}
	if code := kickOff(); code != http.StatusAccepted {
		t.Errorf("an export after HPMS failed: %d", code)
	}

	// BFD has nobody any more: that is held, and what was in force stays.
	nobody := t.TempDir()
	for _, kind := range synthKinds {
		if err := os.WriteFile(filepath.Join(nobody, kind+".ndjson"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u.start("bfd", u.bfd, "--people", nobody)
	u.must(dir, "enrollment", "refresh", "S0000", "all")
	var hold []string
	until(t, "the drop to be held", func() bool {
		hold = regexp.MustCompile(`(?m)^(\S+-\S+) .* S0000 `).FindStringSubmatch(u.must(dir, "enrollment", "waiting"))
		return hold != nil
	})
	if again := exported(ctx, t, s); again != members {
		t.Errorf("%d enrollees while the drop is held, want %d", again, members)
	}
	u.must(dir, "enrollment", "reject", hold[1], "BFD lost its people")

	// Killed in the middle of taking it in again, a process goes on by itself, and
	// does not ask for what was gathered already.
	u.start("bfd", u.bfd, "--latency", "150ms")
	until(t, "the rejected drop to be gone", func() bool { return !strings.Contains(u.must(dir, "enrollment", "status"), "waits for a person") })
	u.must(dir, "enrollment", "refresh", "S0000", "all")
	gathered := func() (months int) {
		if m := regexp.MustCompile(`(?m)^S0000 .*gathering, (\d+) of`).FindStringSubmatch(u.must(dir, "enrollment", "status")); m != nil {
			_, _ = fmt.Sscan(m[1], &months)
		}
		return months
	}
	earlier := refreshes(t, dir)
	until(t, "some months to be gathered", func() bool { return gathered() > 0 })
	s.kill()
	before := gathered()
	s = start(t, dir, listen, u.settings()...)
	until(t, "the enrollment to be taken in", func() bool { return refreshes(t, dir) > earlier })
	if before == 0 {
		t.Error("it was not killed in the middle")
	}
	if err := s.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	if again := exported(ctx, t, s); again != members {
		t.Errorf("%d enrollees after it was killed, want %d", again, members)
	}
}

// refreshes returns how often the enrollment of S0000 has come into force.
func refreshes(t *testing.T, dir string) int {
	t.Helper()
	return count(t, dir, "SELECT count(*) FROM audit_records WHERE action = 'enrollment.refresh' AND target = ?", "S0000")
}
