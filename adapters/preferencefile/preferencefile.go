// Package preferencefile reads the files in which 1-800-MEDICARE tells what
// beneficiaries said about sharing their claims, and writes the confirmation
// that goes back, as AB2D exchanges them.
//
//	HDR_BENEDATARSP20260123                    the day from which the file counts
//	1S00E00AA01Y                               an MBI, and whether its claims are shared
//	1S00E00AA02,1S00E00AA03N                   several MBIs of one person
//	TRL_BENEDATARSP202601230000000003          how many MBIs there are
package preferencefile

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strconv"
	"strings"

	"cms.gov/ab2d/domain"
)

const (
	header        = "HDR_BENEDATARSP"
	trailer       = "TRL_BENEDATARSP"
	confirmHeader = "HDR_BENECONFIRM"
	confirmEnd    = "TRL_BENECONFIRM"
	accepted      = "Accepted  00"
	rejected      = "Rejected  02"
)

// record is one line between header and trailer: MBIs of 11 characters and Y or N.
var record = regexp.MustCompile(`^[0-9A-Z]{11}(,[0-9A-Z]{11})*[YN]$`)

// File is a preference file.
type File struct{ content io.ReadSeeker }

// New returns the file with that content.
func New(content io.ReadSeeker) *File { return &File{content} }

// line is one record of the file; a malformed one states nothing.
type line struct {
	text   string
	mbis   []domain.MBI
	shares bool
	valid  bool
}

// lines yields the records with the day that the file counts from. The last
// thing it yields is an error when the file is not whole: no header, no
// trailer, or another number of MBIs than the trailer says.
func (f *File) lines() iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		if _, err := f.content.Seek(0, io.SeekStart); err != nil {
			yield(line{}, err)
			return
		}
		scanner := bufio.NewScanner(f.content)
		mbis, number := 0, 1
		for ; scanner.Scan(); number++ {
			text := strings.TrimRight(scanner.Text(), " \r")
			if end, ok := strings.CutPrefix(text, trailer); ok {
				if err := checkTrailer(end, mbis); err != nil {
					yield(line{}, err)
				}
				return
			}
			if number == 1 {
				continue // the header, which Effective reads
			}
			l := parse(text)
			mbis += max(1, len(l.mbis))
			if !yield(l, nil) {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			yield(line{}, err)
			return
		}
		yield(line{}, domain.Errorf(domain.Invalid, "the file ends after line %d without a trailer %s...", number-1, trailer))
	}
}

func parse(text string) line {
	l := line{text: text, valid: record.MatchString(text)}
	if l.valid {
		l.shares = text[len(text)-1] == 'Y'
		for _, mbi := range strings.Split(text[:len(text)-1], ",") {
			l.mbis = append(l.mbis, domain.MBI(mbi))
		}
	}
	return l
}

func checkTrailer(end string, mbis int) error {
	if len(end) != 18 {
		return domain.Errorf(domain.Invalid, "the trailer is not a date of 8 digits and a count of 10")
	}
	if n, err := strconv.Atoi(end[8:]); err != nil || n != mbis {
		return domain.Errorf(domain.Invalid, "the trailer says %s MBIs, but there are %d: the file is not whole", end[8:], mbis)
	}
	return nil
}

// Effective returns the day that the file counts from, which its header gives.
func (f *File) Effective() (domain.Date, error) {
	if _, err := f.content.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	first, err := bufio.NewReader(f.content).ReadString('\n')
	if err != nil && err != io.EOF {
		return 0, err
	}
	day, ok := strings.CutPrefix(strings.TrimRight(first, " \r\n"), header)
	if !ok || len(day) != 8 {
		return 0, domain.Errorf(domain.Invalid, "the file does not begin with a header %sYYYYMMDD", header)
	}
	d, err := domain.ParseDate(day[:4] + "-" + day[4:6] + "-" + day[6:])
	if err != nil {
		return 0, domain.Errorf(domain.Invalid, "the header's date: %v", err)
	}
	return d, nil
}

// Preferences yields what the well-formed records state. A malformed one is
// passed over and rejected in the confirmation. A file that is not whole ends
// with an invalid error, and then nothing of it should be kept.
func (f *File) Preferences() iter.Seq2[domain.Preference, error] {
	return func(yield func(domain.Preference, error) bool) {
		day, err := f.Effective()
		if err != nil {
			yield(domain.Preference{}, err)
			return
		}
		for l, err := range f.lines() {
			if err != nil {
				yield(domain.Preference{}, err)
				return
			}
			for _, mbi := range l.mbis {
				if !yield(domain.Preference{MBI: mbi, Shares: l.shares, Effective: day}, nil) {
					return
				}
			}
		}
	}
}

// Confirm writes the confirmation of a file that was taken in on the given day:
// a line for each MBI, and for each record that was rejected.
func (f *File) Confirm(w io.Writer, on domain.Date) error {
	day := strings.ReplaceAll(on.String(), "-", "")
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s%s\n", confirmHeader, day)
	n := 0
	for l, err := range f.lines() {
		if err != nil {
			return err
		}
		if !l.valid {
			// Its first eleven characters are all that can be told of it.
			fmt.Fprintf(out, "%-11.11s%8s%1s%s\n", l.text, "", "", rejected)
			n++
			continue
		}
		for _, mbi := range l.mbis {
			fmt.Fprintf(out, "%s%s%s%s\n", string(mbi), day, l.text[len(l.text)-1:], accepted)
			n++
		}
	}
	fmt.Fprintf(out, "%s%s%010d\n", confirmEnd, day, n)
	return out.Flush()
}
