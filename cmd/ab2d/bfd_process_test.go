package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/bfdmock"
	"cms.gov/ab2d/adapters/entstore/pgtest"
)

// upstream is a stand-in for BFD in a process of its own.
type upstream struct {
	cmd     *exec.Cmd
	address string
}

func startUpstream(t *testing.T, listen string, flags ...string) *upstream {
	t.Helper()
	cmd := exec.Command(program, append([]string{"mock", "bfd", "--listen", listen}, flags...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	u := &upstream{cmd: cmd}
	t.Cleanup(u.kill)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, text, ok := strings.Cut(lines.Text(), "is ready on "); ok {
			u.address, _, _ = strings.Cut(text, ". ")
			go func() {
				for lines.Scan() {
				}
			}()
			return u
		}
	}
	t.Fatal("the stand-in ended before it was ready")
	return nil
}

func (u *upstream) kill() {
	if u.cmd.ProcessState == nil {
		_ = u.cmd.Process.Kill()
		_ = u.cmd.Wait()
	}
}

// sumsOf are the files of an export in their order, by what the manifest says of them.
func sumsOf(m manifest) (sums []string) {
	for _, o := range m.Output {
		sums = append(sums, fmt.Sprint(o.Count, o.Extension))
	}
	return sums
}

// An export over a BFD that fails, refuses, cuts off, stalls, lies, lags, goes
// away and comes back ends with every enrollee accounted for and with the files of one over a
// BFD that is well.
func TestAnExportOverASickBFD(t *testing.T) {
	ctx := patience(t)
	well := startUpstream(t, "127.0.0.1:0")
	healthy := start(t, t.TempDir(), freeAddress(t), "--bfd-url", well.address, "--enrollment", "synthetic")
	if err := healthy.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	want, err := healthy.export(ctx, "/api/v2/fhir/Group/S0000/$export")
	if err != nil {
		t.Fatal(err)
	}
	healthy.kill()
	well.kill()

	certs := t.TempDir()
	listen := freeAddress(t)
	sick := []string{"--tls-dir", certs, "--seed", "11", "--latency", "5ms..40ms", "--error", "0.03", "--throttle", "0.02", "--cut", "0.02", "--stall", "0.01",
		"--malformed", "0.02", "--wrong", "0.01", "--total", "0.01", "--stale", "0.01", "--slow", "0.01", "--slow-for", "500ms", "--empty-last"}
	first := startUpstream(t, listen, sick...)
	s := start(t, t.TempDir(), freeAddress(t), "--bfd-url", "https://"+listen, "--enrollment", "synthetic", "--bfd-ca", filepath.Join(certs, bfdmock.CAFile),
		"--bfd-cert", filepath.Join(certs, bfdmock.ClientFile), "--bfd-page", "200", "--bfd-timeout", "2s", "--bfd-connections", "8", "--fetch-backoff", "20ms", "--fetch-tries", "12", "--log", "error")
	if err := s.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	job, err := s.walker.start(ctx, "/api/v2/fhir/Group/S0000/$export")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the export to be under way", func() bool { return answeredBy(t, certs, listen) >= 20 })
	first.kill()
	// Away for longer than an enrollee's tries take; our certificate is replaced meanwhile.
	if err := bfdmock.Certificates(certs, time.Hour); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	startUpstream(t, listen, sick...)
	m, err := s.follow(ctx, job)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Error) > 0 || !slices.Equal(sumsOf(m), sumsOf(want)) {
		t.Errorf("over a sick BFD: %v and %d error files\nover one that is well: %v", sumsOf(m), len(m.Error), sumsOf(want))
	}
}

// What there is about people beside their claims comes from BFD too, and is the
// same as without BFD between.
func TestPeopleComeFromBFD(t *testing.T) {
	ctx := patience(t)
	outputs := func(settings ...string) (sums []string, counts map[string]int) {
		s := start(t, t.TempDir(), freeAddress(t), append(settings, "--types", "ExplanationOfBenefit,Patient,Coverage")...)
		defer s.kill()
		if err := s.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
			t.Fatal(err)
		}
		m, err := s.export(ctx, "/api/v2/fhir/Group/S0000/$export?_type=Patient,Coverage")
		if err != nil {
			t.Fatal(err)
		}
		counts = map[string]int{}
		for _, o := range m.Output {
			counts[o.Type] += o.Count
		}
		return sumsOf(m), counts
	}
	want, _ := outputs()
	upstream := startUpstream(t, "127.0.0.1:0")
	got, counts := outputs("--bfd-url", upstream.address, "--enrollment", "synthetic")
	if !slices.Equal(got, want) || counts["Patient"] == 0 || counts["Coverage"] != 2*counts["Patient"] {
		t.Errorf("from BFD came %v: %v\nwithout it: %v", counts, got, want)
	}
}

// answeredBy asks a stand-in how much it has answered.
func answeredBy(t *testing.T, certs, address string) int64 {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(certs, bfdmock.ClientFile), filepath.Join(certs, bfdmock.ClientFile))
	if err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(filepath.Join(certs, bfdmock.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: x509.NewCertPool()}
	c.RootCAs.AppendCertsFromPEM(authority)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
	res, err := client.Get("https://" + address + "/mock/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var s bfdmock.Stats
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s.Answered
}

// What all processes may ask of BFD at once they share, by what each writes.
func TestProcessesShareTheirCalls(t *testing.T) {
	const together = 6
	ctx := patience(t)
	bfd := startUpstream(t, "127.0.0.1:0", "--latency", "80ms")
	url := pgtest.URL(t)
	settings := []string{"--database-url", url, "--partition-members", "50", "--workers", "1", "--bfd-url", bfd.address, "--enrollment", "synthetic",
		"--bfd-fixed", "12", "--bfd-connections", "12", "--bfd-connections-total", fmt.Sprint(together)}
	dir := t.TempDir()
	api := start(t, dir, "127.0.0.1:0", append(settings, "--roles", "api")...)
	start(t, dir, "127.0.0.1:0", append(settings, "--roles", "worker")...)
	start(t, dir, "127.0.0.1:0", append(settings, "--roles", "worker")...)
	if err := api.signIn(ctx, sponsorOf(t, "S0001")); err != nil {
		t.Fatal(err)
	}
	status, job := api.kickOff(ctx, t, "/api/v2/fhir/Group/S0001/$export")
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	stats := func() (s bfdmock.Stats) {
		res, err := http.Get(bfd.address + "/mock/stats")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	until(t, "both workers to write a partition", func() bool {
		var n int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM partitions WHERE lease_token IS NOT NULL AND job_id = $1", job).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 2
	})
	// Each notices the other within a second, of which 15 answers of 80 ms are more.
	noticed := stats().Answered + 15*together
	until(t, "both to have noticed each other", func() bool { return stats().Answered > noticed })
	most := int64(0)
	for end := noticed + 100; stats().Answered < end; time.Sleep(5 * time.Millisecond) {
		most = max(most, stats().InUse)
	}
	// One that comes back with its next partition takes half at once, and the other
	// notices a second later. Without sharing there were 24.
	if most > together+together/2 || most < together/2 {
		t.Errorf("%d calls at once, of %d that all may make together", most, together)
	}
	if res, err := api.ask(ctx, http.MethodDelete, status, nil); err != nil || res.Body.Close() != nil {
		t.Fatal(err)
	}
}
