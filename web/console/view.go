// Package console holds the pages of the staff's console: what they are given
// is ready to be shown, and what they show is HTML that works without scripts.
package console

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // CMS works in Eastern time, wherever the server is
)

// Link is a link, with whether it is where the reader is.
type Link struct {
	Text, URL string
	Current   bool
}

// Shell is what surrounds every page of somebody who is signed in.
type Shell struct {
	Title   string // of the page, as "Jobs"
	Sandbox bool
	Nav     []Link
	Crumbs  []Link
	Person  string
	Roles   string
	Token   string // what forms of this session bring
	Told    string // a notice above everything, as of a maintenance
	Done    string // what was just done
	Search  string // what was searched for
	Version string
	Loading bool // the next page is awaited, as the page itself says by a script
	Idle    int  // seconds without activity until the session ends
	Warn    int  // seconds without activity until a warning
	End     int  // seconds until the session ends at all
}

// Badge is a state in a word, with the colour that goes with it: run, ok, bad,
// warn or none.
type Badge struct{ Text, Tone string }

// Tile is a figure.
type Tile struct{ Value, Label, URL string }

// Fact is a name and a value.
type Fact struct {
	Name  string
	Text  string
	URL   string // what Text links to
	At    time.Time
	Badge *Badge
	Code  bool
}

// Options are the choices of a field.
type Option struct {
	Value, Text string
	Chosen      bool
}

// Field is a field of a form.
type Field struct {
	Name, Label, Hint, Value, Wrong string
	Kind                            string // text, date, search, area, select, checks, radios, datetime-local
	Options                         []Option
	Optional                        bool
}

// Form is a form on a page of its own.
type Form struct {
	Action  string // where it is sent
	Says    []string
	Warns   []string // consequences
	Fields  []Field
	Hidden  []Option
	Submit  string
	Stop    bool // it takes something away
	Back    string
	Failed  string // what was wrong as a whole
	Next    string // and what to do about it
	Preview string // the label of a second button that only shows what would happen
}

// Wrong reports whether anything is.
func (f Form) Wrong() bool {
	for _, x := range f.Fields {
		if x.Wrong != "" {
			return true
		}
	}
	return f.Failed != ""
}

var eastern = func() *time.Location {
	l, err := time.LoadLocation("America/New_York")
	if err != nil {
		panic(err) // the zone data is linked in, see the imports
	}
	return l
}()

// When is an instant in Eastern time, to the minute.
func When(t time.Time) string { return t.In(eastern).Format("2006-01-02 15:04") + " ET" }

// UTC is an instant for machines, and for people who hover.
func UTC(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// Bytes is a number of bytes in words.
func Bytes(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	f, i := float64(n), 0
	for ; f >= 1000 && i < len(units)-1; i++ {
		f /= 1000
	}
	if i == 0 || f >= 100 {
		return fmt.Sprintf("%.0f %s", f, units[i])
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

// Count is a number with its thousands apart.
func Count[N int | int64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Span is how long something takes, in the two largest units.
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < 0:
		return "–"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// Brief is how long something short takes: as Span, but with milliseconds below a
// second and tenths below ten.
func Brief(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond)/time.Millisecond)
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return Span(d)
}

// CellID makes an id of a part of a row.
func CellID(kind, id string) string { return kind + "-" + strings.ReplaceAll(id, ".", "_") }
