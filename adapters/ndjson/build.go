package ndjson

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"cms.gov/ab2d/domain"
)

// builder reads a folder through once and writes its index.
type builder struct {
	ctx   context.Context
	past  time.Time // what the folder vouched for before; zero for nothing
	dir   string    // the folder
	index string    // the index's own folder
	run   int       // bytes that a sorter holds
	log   *slog.Logger

	out     *indexWriter
	catalog catalog
	claims  *sorter // patient and order of line -> claim
	people  *sorter // patient and order of line -> identifiers or months
	records *sorter // patient, type and order of line -> Patient or Coverage as it stands
	members *sorter // contract and patient -> months and identifiers

	line  line
	value []byte
	key   []byte
	seed  maphash.Seed
	read  int64 // plain bytes
	told  time.Time
}

// build writes the index of the files to a file of that name. The file is
// complete, and on disk, when there is no error.
func (b *builder) build(files []sourceFile, name string) (err error) {
	b.catalog = catalog{Format: format, Versions: map[domain.FHIRVersion]versionFacts{}, Others: map[string]int64{}}
	b.claims, b.people, b.members = newSorter(b.index, b.run), newSorter(b.index, b.run), newSorter(b.index, b.run)
	b.records = newSorter(b.index, b.run)
	defer b.records.close()
	defer b.claims.close()
	defer b.people.close()
	defer b.members.close()
	b.seed, b.told = maphash.MakeSeed(), time.Now()
	if b.out, err = createIndex(name); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.out.close()) }()
	for i, f := range files {
		if err := b.readFile(i, f); err != nil {
			return err
		}
	}
	b.catalog.CompleteThrough = b.catalog.newest()
	if !b.catalog.CompleteThrough.After(b.past) {
		b.catalog.CompleteThrough = b.past.Add(time.Millisecond)
	}
	if err := b.readContracts(files); err != nil {
		return err
	}
	if err := b.writeClaims(); err != nil {
		return err
	}
	if err := b.writeRecords(); err != nil {
		return err
	}
	if err := b.joinPeople(); err != nil {
		return err
	}
	if err := b.writeMembers(); err != nil {
		return err
	}
	return b.out.finish(&b.catalog)
}

func (b *builder) path(f sourceFile) string { return filepath.Join(b.dir, filepath.FromSlash(f.Path)) }

func (b *builder) readFile(number int, f sourceFile) error {
	indexed := indexedFile{sourceFile: f}
	if f.Path != contractsFile {
		pack := &packer{out: b.out}
		var order uint64
		err := scan(b.ctx, b.path(f), f.gzipped(), pack, func(raw []byte, at place) error {
			order = uint64(number)<<40 | uint64(at.number)
			b.progress(at.length)
			return b.readLine(raw, claim{file: number, offset: at.offset, length: at.length}, order)
		})
		if err != nil {
			return err
		}
		if f.gzipped() {
			starts, err := pack.end()
			if err != nil {
				return err
			}
			if indexed.Blocks, err = b.out.numbers(starts); err != nil {
				return err
			}
		}
	}
	b.catalog.Files = append(b.catalog.Files, indexed)
	if f.Modified.After(b.catalog.Modified) {
		b.catalog.Modified = f.Modified
	}
	return nil
}

// progress tells now and then how far a long build is.
func (b *builder) progress(n int64) {
	b.read += n
	if time.Since(b.told) > 10*time.Second {
		b.told = time.Now()
		b.log.Info("indexing claims", "folder", b.dir, "GB", float64(b.read/1e6)/1e3)
	}
}

// readLine takes a line in. The error says what is wrong with it and holds
// nothing of what it says.
func (b *builder) readLine(raw []byte, c claim, order uint64) error {
	malformed := b.line.read(raw)
	switch b.line.kind {
	case "ExplanationOfBenefit":
		return b.readClaim(malformed, c, order)
	case "":
		if malformed != nil {
			return fmt.Errorf("not one JSON object on one line: %w", malformed)
		}
		return errors.New("no resourceType: not a FHIR resource")
	case "Patient":
		id, ids, err := readPatient(raw)
		if err == nil {
			err = b.record(id, isPatient, order, raw)
		}
		if err != nil {
			return err
		}
		b.value = appendIdentifiers(binary.AppendVarint(append(b.value[:0], isPatient), millisOf(b.line.updated)), ids)
		return b.people.add(b.orderedKey(id, order), b.value)
	case "Coverage":
		id, months, err := readCoverage(raw)
		if err == nil {
			err = b.record(id, isCoverage, order, raw)
		}
		if err != nil {
			return err
		}
		for n, set := range months {
			if err := b.enroll(id, n, set, order); err != nil {
				return err
			}
		}
		return nil
	}
	if malformed != nil {
		return fmt.Errorf("not one JSON object on one line: %w", malformed)
	}
	b.catalog.Others[b.line.kind]++
	return nil
}

// readClaim takes a claim in, a malformed one too as long as it can be told
// whose it is: it comes to that person's export as it stands, and is told there.
func (b *builder) readClaim(malformed error, c claim, order uint64) error {
	if b.line.patient == nil {
		if malformed != nil {
			return fmt.Errorf("a claim that cannot be read, nor whose it is: %w", malformed)
		}
		return errors.New("a claim whose patient.reference is not Patient/ and an id that FHIR allows")
	}
	c.version, c.updated, c.ended = b.line.version, millisOf(b.line.updated), b.line.ended
	facts := b.catalog.Versions[c.version]
	facts.Claims++
	if b.line.updated.After(facts.Newest) {
		facts.Newest = b.line.updated.UTC()
	}
	b.catalog.Versions[c.version] = facts
	b.value = binary.LittleEndian.AppendUint64(b.value[:0], maphash.Bytes(b.seed, b.line.id))
	b.value = appendClaim(b.value, c, claim{file: -1})
	return b.claims.add(b.orderedKey(b.line.patient, order), b.value)
}

// The kinds of record about a person.
const (
	isPatient  = 'p'
	isCoverage = 'c'
)

// record takes in a Patient or a Coverage as it stands. They are small, so that
// the index itself holds them.
func (b *builder) record(patient []byte, kind byte, order uint64, raw []byte) error {
	key := append(append(b.key[:0], patient...), 0, recordOrder[kind])
	b.key = binary.BigEndian.AppendUint64(key, order)
	return b.records.add(b.key, raw)
}

// recordOrder puts a person's Patient before the coverage.
var recordOrder = map[byte]byte{isPatient: 0, isCoverage: 1}

// writeRecords writes what is about each person beside claims. Of several
// resources of one type and id the last counts.
func (b *builder) writeRecords() error {
	w := &peopleWriter{out: b.out}
	b.catalog.Records.From = b.out.at
	var patient []byte
	var all [][]byte
	end := func() error {
		if patient == nil {
			return nil
		}
		b.value = b.value[:0]
		for _, raw := range lastOfEach(all) {
			b.value = appendText(b.value, raw)
		}
		return w.write(patient, b.value)
	}
	for r, err := range b.records.sorted() {
		if err == nil {
			err = b.ctx.Err()
		}
		if err != nil {
			return err
		}
		if id := r.key[:len(r.key)-10]; !bytes.Equal(id, patient) || patient == nil {
			if err := end(); err != nil {
				return err
			}
			patient, all = append(patient[:0], id...), all[:0]
		}
		all = append(all, bytes.Clone(r.value))
	}
	if err := end(); err != nil {
		return err
	}
	b.catalog.Records.To = b.out.at
	var err error
	b.catalog.RecordDirectory, err = w.directory()
	return err
}

// lastOfEach drops resources that come again later, by type and id.
func lastOfEach(all [][]byte) [][]byte {
	last := map[string]int{}
	name := func(raw []byte) string {
		var l line
		_ = l.read(raw) // it was read before
		return l.kind + "/" + string(l.id)
	}
	for i, raw := range all {
		last[name(raw)] = i
	}
	var kept [][]byte
	for i, raw := range all {
		if last[name(raw)] == i {
			kept = append(kept, raw)
		}
	}
	return kept
}

func (b *builder) enroll(patient []byte, n domain.ContractNumber, months domain.MonthSet, order uint64) error {
	b.value = appendText(appendText(append(b.value[:0], isCoverage), n), months)
	return b.people.add(b.orderedKey(patient, order), b.value)
}

// orderedKey puts what is about a person together in the order of the lines. A
// zero byte, which no id has, ends the id, so that ids come in their own order.
func (b *builder) orderedKey(patient []byte, order uint64) []byte {
	b.key = append(append(b.key[:0], patient...), 0)
	return binary.BigEndian.AppendUint64(b.key, order)
}

func (b *builder) readContracts(files []sourceFile) error {
	i := slices.IndexFunc(files, func(f sourceFile) bool { return f.Path == contractsFile })
	if i < 0 {
		return nil
	}
	last := domain.DateOf(b.catalog.CompleteThrough).Month()
	return readContracts(b.path(files[i]), last, func(line int, patient []byte, n domain.ContractNumber, months domain.MonthSet) error {
		return b.enroll(patient, n, months, uint64(i)<<40|uint64(line))
	})
}

// writeClaims writes the claims by person, and checks that a folder of both
// versions holds each person's claims in both.
func (b *builder) writeClaims() error {
	w := &peopleWriter{out: b.out}
	b.catalog.Claims.From = b.out.at
	var patient, entry []byte
	var last claim
	both := bothVersions{needed: len(b.catalog.Versions) > 1}
	end := func() error {
		if patient == nil {
			return nil
		}
		if order, ok := both.agree(); !ok {
			f := b.catalog.Files[order>>40]
			return fmt.Errorf("%s:%d: the person of this claim has other claims in STU3 than in R4; a folder of both versions holds every claim in both",
				b.path(f.sourceFile), order&(1<<40-1))
		}
		return w.write(patient, entry)
	}
	for r, err := range b.claims.sorted() {
		if err == nil {
			err = b.ctx.Err()
		}
		if err != nil {
			return err
		}
		id, order := cutKey(r.key)
		if !bytes.Equal(id, patient) || patient == nil {
			if err := end(); err != nil {
				return err
			}
			patient, entry, last = append(patient[:0], id...), entry[:0], claim{file: -1}
			both.begin()
		}
		c, _ := cutClaim(r.value[8:], claim{file: -1})
		both.add(c.version, binary.LittleEndian.Uint64(r.value), order)
		entry, last = appendClaim(entry, c, last), c
	}
	if err := end(); err != nil {
		return err
	}
	b.catalog.Claims.To = b.out.at
	var err error
	b.catalog.Directory, err = w.directory()
	return err
}

func cutKey(key []byte) (id []byte, order uint64) {
	at := len(key) - 9
	return key[:at], binary.BigEndian.Uint64(key[at+1:])
}

// bothVersions compares one person's claims in the two versions by their number
// and the sum of the hashes of their ids.
type bothVersions struct {
	needed bool
	count  [2]int
	sum    [2]uint64
	first  uint64
}

func (v *bothVersions) begin() { *v = bothVersions{needed: v.needed} }

func (v *bothVersions) add(version domain.FHIRVersion, id, order uint64) {
	i := 0
	if version == domain.R4 {
		i = 1
	}
	if v.count[0]+v.count[1] == 0 {
		v.first = order
	}
	v.count[i]++
	v.sum[i] += id
}

func (v *bothVersions) agree() (first uint64, ok bool) {
	return v.first, !v.needed || v.count[0] == v.count[1] && v.sum[0] == v.sum[1]
}

// joinPeople brings together what was said of each person: the identifiers of
// the Patient that was updated last, and all months in each contract.
func (b *builder) joinPeople() error {
	var p person
	for r, err := range b.people.sorted() {
		if err == nil {
			err = b.ctx.Err()
		}
		if err != nil {
			return err
		}
		id, _ := cutKey(r.key)
		if !bytes.Equal(id, p.id) {
			if err := b.addMember(&p); err != nil {
				return err
			}
			p = person{id: append(p.id[:0], id...), months: map[domain.ContractNumber]domain.MonthSet{}}
		}
		p.take(r.value)
	}
	return b.addMember(&p)
}

type person struct {
	id      []byte
	known   bool
	updated int64
	ids     domain.Identifiers
	months  map[domain.ContractNumber]domain.MonthSet
}

func (p *person) take(value []byte) {
	if value[0] == isPatient {
		updated, n := binary.Varint(value[1:])
		if !p.known || updated >= p.updated {
			p.ids, _ = cutIdentifiers(value[1+n:])
			p.known, p.updated = true, updated
		}
		return
	}
	contract, rest := cutText(value[1:])
	months, _ := cutText(rest)
	n := domain.ContractNumber(contract)
	p.months[n] = union(p.months[n], domain.MonthSet(months))
}

func union(a, b domain.MonthSet) domain.MonthSet {
	for _, m := range b.Months() {
		a = a.With(m, m)
	}
	return a
}

func (b *builder) addMember(p *person) error {
	for n, months := range p.months {
		if months.IsEmpty() {
			continue
		}
		b.key = append(append(append(b.key[:0], n...), 0), p.id...)
		b.value = appendIdentifiers(appendText(b.value[:0], months), p.ids)
		if err := b.members.add(b.key, b.value); err != nil {
			return err
		}
	}
	return nil
}

// writeMembers writes the enrollees of each contract in the order of their ids.
func (b *builder) writeMembers() error {
	for r, err := range b.members.sorted() {
		if err == nil {
			err = b.ctx.Err()
		}
		if err != nil {
			return err
		}
		contract, id, _ := bytes.Cut(r.key, []byte{0})
		all := b.catalog.Contracts
		if len(all) == 0 || string(all[len(all)-1].Number) != string(contract) {
			b.catalog.Contracts = append(all, contractFacts{Number: domain.ContractNumber(contract), Enrollees: section{b.out.at, b.out.at}})
		}
		last := &b.catalog.Contracts[len(b.catalog.Contracts)-1]
		last.Count++
		b.value = append(appendText(b.value[:0], id), r.value...)
		if _, err := b.out.Write(appendText(nil, b.value)); err != nil {
			return err
		}
		last.Enrollees.To = b.out.at
	}
	return nil
}

// indexWriter writes an index and knows where it is.
type indexWriter struct {
	f  *os.File
	w  *bufio.Writer
	at int64
}

func createIndex(name string) (*indexWriter, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // it holds MBIs
	if err != nil {
		return nil, err
	}
	return &indexWriter{f: f, w: bufio.NewWriterSize(f, 1<<20)}, nil
}

func (w *indexWriter) Write(b []byte) (int, error) {
	n, err := w.w.Write(b)
	w.at += int64(n)
	return n, err
}

// numbers writes numbers of eight bytes each.
func (w *indexWriter) numbers(all []int64) (section, error) {
	s := section{From: w.at}
	var b []byte
	for _, n := range all {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	_, err := w.Write(b)
	s.To = w.at
	return s, err
}

// finish writes the catalog and its length at the end, and flushes all to disk.
func (w *indexWriter) finish(c *catalog) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(len(b)))
	if _, err := w.Write(append(b, magic...)); err != nil {
		return err
	}
	if err := w.w.Flush(); err != nil {
		return err
	}
	return w.f.Sync()
}

func (w *indexWriter) close() error { return w.f.Close() }

// peopleWriter writes an entry a person, in order, and remembers every so often
// who comes where.
type peopleWriter struct {
	out   *indexWriter
	since int64
	stops []byte
}

// stopEvery is how many bytes of entries lie between two stops of the
// directory, which is kept in memory.
const stopEvery = 16 << 10

func (w *peopleWriter) write(patient, entry []byte) error {
	if at := w.out.at; len(w.stops) == 0 || at-w.since >= stopEvery {
		w.since = at
		w.stops = binary.AppendUvarint(appendText(w.stops, patient), uint64(at))
	}
	_, err := w.out.Write(appendText(appendText(nil, patient), entry))
	return err
}

func (w *peopleWriter) directory() (section, error) {
	s := section{From: w.out.at}
	_, err := w.out.Write(w.stops)
	s.To = w.out.at
	return s, err
}
