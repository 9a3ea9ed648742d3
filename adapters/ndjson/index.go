package ndjson

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"sort"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
)

// format is the number of the index's form; another form is built anew.
const format = 2

// magic ends a complete index.
const magic = "AB2DNDJS"

// catalog is what stands at the end of an index and is held in memory.
type catalog struct {
	Format   int           `json:"format"`
	Files    []indexedFile `json:"files"`
	Modified time.Time     `json:"modified"` // the newest of the files
	// CompleteThrough is later in each index than in the one before it.
	CompleteThrough time.Time                           `json:"completeThrough"`
	Versions        map[domain.FHIRVersion]versionFacts `json:"versions"`
	Others          map[string]int64                    `json:"others"` // lines of types that are passed over
	Claims          section                             `json:"claims"`
	Directory       section                             `json:"directory"`
	Records         section                             `json:"records"` // Patient and Coverage, by person
	RecordDirectory section                             `json:"recordDirectory"`
	Contracts       []contractFacts                     `json:"contracts"` // in the order of their numbers
}

// section is a part of the index.
type section struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

type indexedFile struct {
	sourceFile
	Blocks section `json:"blocks"` // of a gzip file: where each of its blocks begins
}

type versionFacts struct {
	Claims int64     `json:"claims"`
	Newest time.Time `json:"newest"` // zero when no claim says when it was updated
}

type contractFacts struct {
	Number    domain.ContractNumber `json:"number"`
	Count     int                   `json:"count"`
	Enrollees section               `json:"enrollees"`
}

// newest is the newest update of a claim, of the version that has the older
// one; of claims without any, the time of the newest file. It is told in whole
// milliseconds, as export times are, and so is the next one of these.
func (c *catalog) newest() time.Time {
	t := time.Time{}
	for _, v := range c.Versions {
		if !v.Newest.IsZero() && (t.IsZero() || v.Newest.Before(t)) {
			t = v.Newest
		}
	}
	if t.IsZero() {
		t = c.Modified
	}
	return t.Add(time.Millisecond - 1).Truncate(time.Millisecond)
}

// isOf reports whether the index is of exactly these files as they are.
func (c *catalog) isOf(files []sourceFile) bool {
	return slices.EqualFunc(c.Files, files, func(a indexedFile, b sourceFile) bool { return a.same(b) })
}

// index is an index that is open for reading, by any number of readers.
type index struct {
	f       *os.File
	catalog catalog
	stops   []stop    // of the claims
	records []stop    // of Patient and Coverage
	blocks  [][]int64 // by file; nil for a plain one
}

// stop is a person's id and where the entries from it on begin.
type stop struct {
	patient string
	at      int64
}

// openIndex fails for what is not a complete index of the form of this build.
func openIndex(name string) (x *index, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	x = &index{f: f}
	if err := x.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return x, nil
}

func (x *index) load() error {
	info, err := x.f.Stat()
	if err != nil {
		return err
	}
	end := info.Size() - 8 - int64(len(magic))
	tail, err := x.part(section{end, info.Size()})
	if err != nil || string(tail[8:]) != magic {
		return errors.Join(errors.New("not a complete index"), err)
	}
	size := int64(binary.LittleEndian.Uint64(tail))
	b, err := x.part(section{end - size, end})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &x.catalog); err != nil || x.catalog.Format != format {
		return errors.Join(fmt.Errorf("not an index of form %d", format), err)
	}
	if x.stops, err = x.directory(x.catalog.Directory); err != nil {
		return err
	}
	if x.records, err = x.directory(x.catalog.RecordDirectory); err != nil {
		return err
	}
	for _, file := range x.catalog.Files {
		b, err := x.part(file.Blocks)
		if err != nil {
			return err
		}
		var starts []int64
		for ; len(b) > 0; b = b[8:] {
			starts = append(starts, int64(binary.LittleEndian.Uint64(b)))
		}
		x.blocks = append(x.blocks, starts)
	}
	return nil
}

func (x *index) part(s section) ([]byte, error) {
	if s.From < 0 || s.To < s.From {
		return nil, errors.New("too short")
	}
	b := make([]byte, s.To-s.From)
	_, err := x.f.ReadAt(b, s.From)
	return b, err
}

func (x *index) directory(s section) (stops []stop, err error) {
	b, err := x.part(s)
	for len(b) > 0 && err == nil {
		patient, rest := cutText(b)
		at, n := binary.Uvarint(rest)
		stops, b = append(stops, stop{string(patient), int64(at)}), rest[n:]
	}
	return stops, err
}

// claimsOf returns what appendClaim wrote of a person, nothing for one who has
// no claims.
func (x *index) claimsOf(patient domain.PatientID) ([]byte, error) {
	return x.entryOf(patient, x.stops, x.catalog.Claims.To)
}

// recordsOf returns the Patient and Coverage resources of a person as they
// stand in the folder.
func (x *index) recordsOf(patient domain.PatientID) (all [][]byte, err error) {
	entry, err := x.entryOf(patient, x.records, x.catalog.Records.To)
	for len(entry) > 0 && err == nil {
		var raw []byte
		raw, entry = cutText(entry)
		all = append(all, raw)
	}
	return all, err
}

// entryOf finds a person's entry among those that end at end.
func (x *index) entryOf(patient domain.PatientID, stops []stop, end int64) ([]byte, error) {
	i := sort.Search(len(stops), func(i int) bool { return stops[i].patient > string(patient) }) - 1
	if i < 0 {
		return nil, nil
	}
	s := section{stops[i].at, end}
	if i+1 < len(stops) {
		s.To = stops[i+1].at
	}
	b, err := x.part(s)
	for err == nil && len(b) > 0 {
		var id, entry []byte
		id, b = cutText(b)
		entry, b = cutText(b)
		switch c := strings.Compare(string(id), string(patient)); {
		case c == 0:
			return entry, nil
		case c > 0:
			return nil, nil
		}
	}
	return nil, err
}

// enrollees yields the enrollees of a contract in the byte order of their ids.
func (x *index) enrollees(n domain.ContractNumber) iter.Seq2[domain.Enrollee, error] {
	return func(yield func(domain.Enrollee, error) bool) {
		i, ok := slices.BinarySearchFunc(x.catalog.Contracts, n, func(c contractFacts, n domain.ContractNumber) int {
			return strings.Compare(string(c.Number), string(n))
		})
		if !ok {
			return
		}
		s := x.catalog.Contracts[i].Enrollees
		r := bufio.NewReaderSize(io.NewSectionReader(x.f, s.From, s.To-s.From), 1<<16)
		for range x.catalog.Contracts[i].Count {
			e, err := readEnrollee(r)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func readEnrollee(r *bufio.Reader) (e domain.Enrollee, err error) {
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return e, fmt.Errorf("the index of claims: %w", err)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return e, fmt.Errorf("the index of claims: %w", err)
	}
	id, b := cutText(b)
	months, b := cutText(b)
	e.Patient, e.Months = domain.PatientID(id), domain.MonthSet(months)
	e.IDs, _ = cutIdentifiers(b)
	return e, nil
}
