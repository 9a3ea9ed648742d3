package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

const synthUsage = `usage: ab2d synth VERSION DIR [gzip] [split=SIZE] CONTRACT...

  VERSION     STU3 or R4
  DIR         a folder, made if need be; it must not hold such files yet
  gzip        write *.ndjson.gz
  split=SIZE  begin another file after SIZE plain bytes, as 500MB or 2GB
  CONTRACT    as S0000 S0001; all for every contract of the sandbox, some 45 GB

as in: ab2d synth R4 people gzip S0000 S0001`

// synth writes the synthetic population as NDJSON for anyone to load elsewhere.
func synth(ctx context.Context, _ *config.Config, args []string) error {
	order, err := parseSynth(args, synthetic.New(synthetic.DefaultSeed))
	if err != nil {
		return fmt.Errorf("%w\n\n%s", err, synthUsage)
	}
	begin, show := time.Now(), newProgress(os.Stderr, order.people())
	files, err := order.write(ctx, show)
	show.end()
	if err != nil {
		return err
	}
	fmt.Printf("%s people of %s in %s, %s of NDJSON, in %s:\n", grouped(show.done), joined(order.contracts), order.version, size(show.bytes),
		time.Since(begin).Round(100*time.Millisecond))
	for _, f := range files {
		fmt.Println(" ", filepath.Join(order.dir, f))
	}
	fmt.Printf("\nNext: ab2d serve --claims ndjson --claims-dir %s\n", order.dir)
	return nil
}

// synthOrder is what is to be written.
type synthOrder struct {
	population *synthetic.Population
	version    domain.FHIRVersion
	dir        string
	gzip       bool
	split      int64 // 0 for one file of each kind
	contracts  []domain.ContractNumber
}

func parseSynth(args []string, p *synthetic.Population) (*synthOrder, error) {
	if len(args) < 2 {
		return nil, errors.New("synth needs a version of FHIR and a folder")
	}
	o := &synthOrder{population: p, dir: args[1]}
	var err error
	if o.version, err = domain.ParseFHIRVersion(strings.ToUpper(args[0])); err != nil {
		return nil, err
	}
	for _, a := range args[2:] {
		bytes, split := strings.CutPrefix(a, "split=")
		switch n := domain.ContractNumber(a); {
		case a == "gzip":
			o.gzip = true
		case a == "all":
			o.contracts = contractsOf(p)
		case split:
			if o.split, err = parseSize(bytes); err != nil {
				return nil, err
			}
		case p.Size(n) == 0:
			return nil, fmt.Errorf("%q is no contract of the sandbox; it has %s", a, joined(contractsOf(p)))
		case !slices.Contains(o.contracts, n):
			o.contracts = append(o.contracts, n)
		}
	}
	if len(o.contracts) == 0 {
		return nil, fmt.Errorf("synth needs a contract, or all; the sandbox has %s", joined(contractsOf(p)))
	}
	return o, nil
}

func contractsOf(p *synthetic.Population) (all []domain.ContractNumber) {
	for _, c := range p.Contracts() {
		all = append(all, c.Number)
	}
	return all
}

func joined(contracts []domain.ContractNumber) string {
	var b []string
	for _, n := range contracts {
		b = append(b, string(n))
	}
	return strings.Join(b, " ")
}

func parseSize(s string) (int64, error) {
	for _, unit := range []struct {
		name  string
		bytes int64
	}{{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}} {
		if digits, ok := strings.CutSuffix(strings.ToUpper(s), unit.name); ok {
			if n, err := strconv.ParseInt(digits, 10, 32); err == nil && n > 0 {
				return n * unit.bytes, nil
			}
		}
	}
	return 0, fmt.Errorf("%q is not a size as 500MB or 2GB", s)
}

func (o *synthOrder) people() (n int) {
	for _, c := range o.contracts {
		n += o.population.Size(c)
	}
	return n
}

// The kinds of resource, which are the names of their files too.
var synthKinds = []string{"Patient", "Coverage", "ExplanationOfBenefit"}

// write writes all files under temporary names and gives them their own in the
// end, so that a folder never holds a part that looks like the whole. It
// returns their names.
func (o *synthOrder) write(ctx context.Context, show *progress) (names []string, err error) {
	if err := o.refuseOthers(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return nil, err
	}
	var series []*fileSeries
	for _, kind := range synthKinds {
		series = append(series, &fileSeries{dir: o.dir, kind: kind, gzip: o.gzip, split: o.split})
	}
	defer func() {
		for _, s := range series {
			err = errors.Join(err, s.finish(err == nil))
			names = append(names, s.names...)
		}
	}()
	for _, s := range series { // each kind has a file, even without a line
		if err := s.open(); err != nil {
			return nil, err
		}
	}
	claims := synthetic.NewClaims(o.population, time.Now)
	for _, n := range o.contracts {
		for e := range o.population.Enrollees(n) {
			if err := o.writePerson(ctx, n, e, claims, series); err != nil {
				return nil, err
			}
			show.add(1, series[0].total+series[1].total+series[2].total)
		}
	}
	return nil, nil
}

// refuseOthers: two populations in one folder would be one to whoever loads it.
func (o *synthOrder) refuseOthers() error {
	found, err := os.ReadDir(o.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, f := range found {
		for _, kind := range synthKinds {
			if strings.HasPrefix(f.Name(), kind) && (strings.HasSuffix(f.Name(), ".ndjson") || strings.HasSuffix(f.Name(), ".ndjson.gz")) {
				return fmt.Errorf("%s is there already; remove it, or name another folder", filepath.Join(o.dir, f.Name()))
			}
		}
	}
	return err
}

// written reports whether a person came with a contract before: some people are
// in two, and have one record and one set of claims all the same.
func (o *synthOrder) written(n domain.ContractNumber, id domain.PatientID) bool {
	for _, earlier := range o.contracts[:slices.Index(o.contracts, n)] {
		if _, ok := o.population.FindIn(earlier, id); ok {
			return true
		}
	}
	return false
}

func (o *synthOrder) writePerson(ctx context.Context, n domain.ContractNumber, e synthetic.Enrollee, claims ports.Claims, series []*fileSeries) error {
	again := o.written(n, e.Patient)
	if !again {
		if err := series[0].line(o.population.AppendPatient(nil, o.version, e)); err != nil {
			return err
		}
	}
	parts := 0
	for c := range synthetic.Coverage(o.version, e, n) {
		if parts++; again && parts <= 2 {
			continue // Parts A and B, which do not depend on the contract
		}
		if err := series[1].line(c); err != nil {
			return err
		}
	}
	if again {
		return nil
	}
	r, err := claims.Read(ctx, ports.ClaimsQuery{Version: o.version, Patient: e.Patient})
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		claim, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := series[2].line(claim); err != nil {
			return err
		}
	}
}

// fileSeries is the files of one kind: one, or as many as the split makes.
type fileSeries struct {
	dir, kind string
	gzip      bool
	split     int64

	names []string
	file  *os.File
	buf   *bufio.Writer
	z     *gzip.Writer // nil for plain files
	out   io.Writer
	bytes int64 // plain, of the file that is open
	total int64 // plain, of all
}

// unfinished is what a name ends with until its file is whole.
const unfinished = ".unfinished"

func (s *fileSeries) open() error {
	name := s.kind
	if s.split > 0 {
		name = fmt.Sprintf("%s-%04d", s.kind, len(s.names)+1)
	}
	name += ".ndjson"
	if s.gzip {
		name += ".gz"
	}
	f, err := os.Create(filepath.Join(s.dir, name+unfinished))
	if err != nil {
		return err
	}
	s.names = append(s.names, name)
	s.file, s.buf, s.bytes = f, bufio.NewWriterSize(f, 1<<20), 0
	s.out = s.buf
	if s.gzip {
		s.z = gzip.NewWriter(s.buf)
		s.out = s.z
	}
	return nil
}

func (s *fileSeries) line(b []byte) error {
	if s.split > 0 && s.bytes > 0 && s.bytes+int64(len(b))+1 > s.split {
		if err := s.close(); err != nil {
			return err
		}
		if err := s.open(); err != nil {
			return err
		}
	}
	s.bytes += int64(len(b)) + 1
	s.total += int64(len(b)) + 1
	if _, err := s.out.Write(b); err != nil {
		return err
	}
	_, err := s.out.Write([]byte{'\n'})
	return err
}

func (s *fileSeries) close() (err error) {
	if s.file == nil {
		return nil
	}
	if s.z != nil {
		err = s.z.Close()
	}
	err = cmp.Or(err, s.buf.Flush(), s.file.Sync(), s.file.Close())
	s.file = nil
	return err
}

// finish gives the files their names, or removes them.
func (s *fileSeries) finish(whole bool) error {
	err := s.close()
	for _, name := range s.names {
		path := filepath.Join(s.dir, name)
		if whole && err == nil {
			err = os.Rename(path+unfinished, path)
		} else {
			err = errors.Join(err, os.Remove(path+unfinished))
		}
	}
	return err
}

// progress shows how far a long command is: a bar on a terminal, and elsewhere
// a line now and then.
type progress struct {
	out       *os.File
	terminal  bool
	of        int
	done      int
	bytes     int64
	begun     time.Time
	shown     time.Time
	drawn     int // characters of the bar that is on the screen
	every     time.Duration
	barLength int
}

func newProgress(out *os.File, of int) *progress {
	p := &progress{out: out, of: of, begun: time.Now(), shown: time.Now(), every: 10 * time.Second, barLength: 30}
	if info, err := out.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		p.terminal, p.every = true, 100*time.Millisecond
	}
	return p
}

// add counts n more; bytes are all so far.
func (p *progress) add(n int, bytes int64) {
	p.done, p.bytes = p.done+n, bytes
	if time.Since(p.shown) < p.every {
		return
	}
	p.shown = time.Now()
	if !p.terminal {
		fmt.Fprintln(p.out, p.text())
		return
	}
	filled := p.barLength * p.done / max(p.of, 1)
	p.draw("[" + strings.Repeat("=", filled) + strings.Repeat(" ", p.barLength-filled) + "] " + p.text())
}

func (p *progress) text() string {
	passed := time.Since(p.begun)
	left := time.Duration(float64(passed) / float64(p.done) * float64(p.of-p.done))
	return fmt.Sprintf("%d%%  %s of %s people  %s  %s left", p.done*100/max(p.of, 1), grouped(p.done), grouped(p.of), size(p.bytes), left.Round(time.Second))
}

// draw writes over what is on the line.
func (p *progress) draw(s string) {
	fmt.Fprintf(p.out, "\r%s%s", s, strings.Repeat(" ", max(p.drawn-len(s), 0)))
	p.drawn = len(s)
}

// end leaves an empty line where the bar was.
func (p *progress) end() {
	if p.drawn > 0 {
		p.draw("")
		fmt.Fprint(p.out, "\r")
	}
}

// grouped writes a number with a comma between thousands.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func size(bytes int64) string {
	if bytes < 1e9 {
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(bytes)/1e9)
}
