package porttest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// OutputFiles runs the conformance suite of ports.OutputFiles.
func OutputFiles(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"files come back whole, in the order added": outputsWhole,
		"a name that is there is a conflict":        outputsConflict,
		"names are exact":                           outputsExact,
		"many files are added at once":              outputsMany,
	})
}

func outputFile(job int, name string) domain.OutputFile {
	return domain.OutputFile{Job: jobID(job), Name: name, Contract: "S0001", StoredFile: fullResult().Files[0]}
}

func (s storeTest) addFiles(files ...domain.OutputFile) error {
	return s.try(func(ctx context.Context, tx ports.Tx) error { return tx.Files.Add(ctx, files) })
}

func (s storeTest) filesOf(job int) (files []domain.OutputFile) {
	s.Helper()
	s.view(func(ctx context.Context, tx ports.Tx) (err error) {
		files, err = tx.Files.OfJob(ctx, jobID(job))
		return err
	})
	return files
}

func outputsWhole(s storeTest) {
	s.parties()
	s.job(1)
	s.job(2)
	bare := domain.OutputFile{Job: jobID(1), Name: "S0001_0001_error.ndjson", Contract: "S0002", StoredFile: domain.StoredFile{Kind: domain.ErrorFile}}
	want := []domain.OutputFile{outputFile(1, "S0001_0002.ndjson"), bare, outputFile(1, "S0001_0001.ndjson")}
	for _, files := range [][]domain.OutputFile{want[:2], {outputFile(2, "S0001_0001.ndjson")}, want[2:], nil} {
		if err := s.addFiles(files...); err != nil {
			s.Fatal(err)
		}
	}
	if got := s.filesOf(1); !reflect.DeepEqual(got, want) {
		s.Errorf("the files are\n%+v\nwant\n%+v", got, want)
	}
	s.view(func(ctx context.Context, tx ports.Tx) error {
		got, err := tx.Files.Get(ctx, jobID(1), "S0001_0002.ndjson")
		if !reflect.DeepEqual(got, want[0]) {
			s.Errorf("the file is %+v", got)
		}
		return err
	})
}

func outputsConflict(s storeTest) {
	s.parties()
	s.job(1)
	s.job(2)
	if err := s.addFiles(outputFile(1, "a")); err != nil {
		s.Fatal(err)
	}
	s.refused(s.addFiles(outputFile(1, "b"), outputFile(1, "a")), domain.Conflict)
	s.refused(s.addFiles(outputFile(1, "c"), outputFile(1, "c")), domain.Conflict)
	if got := s.filesOf(1); len(got) != 1 {
		s.Errorf("there are %d files, want 1", len(got))
	}
	if err := s.addFiles(outputFile(2, "a")); err != nil {
		s.Errorf("another job's file of that name: %v", err)
	}
}

func outputsExact(s storeTest) {
	s.parties()
	s.job(1)
	if err := s.addFiles(outputFile(1, "S0001_0001.ndjson")); err != nil {
		s.Fatal(err)
	}
	for _, name := range []string{"", "s0001_0001.ndjson", "S0001_0001.ndjson ", "S0001_0001", "S0001%", "S0001_0002.ndjson"} {
		s.refused(s.store.View(s.Context(), func(ctx context.Context, tx ports.Tx) error {
			_, err := tx.Files.Get(ctx, jobID(1), name)
			return err
		}), domain.NotFound)
	}
	s.refused(s.store.View(s.Context(), func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Files.Get(ctx, jobID(2), "S0001_0001.ndjson")
		return err
	}), domain.NotFound)
}

func outputsMany(s storeTest) {
	s.parties()
	s.job(1)
	var files []domain.OutputFile
	for i := range 1100 {
		files = append(files, outputFile(1, fmt.Sprintf("S0001_%04d.ndjson", 1100-i)))
	}
	if err := s.addFiles(files...); err != nil {
		s.Fatal(err)
	}
	if got := s.filesOf(1); !reflect.DeepEqual(got, files) {
		s.Errorf("%d files come back, not those added or not in that order", len(got))
	}
}

// Downloads runs the conformance suite of ports.Downloads.
func Downloads(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"an account begins empty and comes back whole": downloadsWhole,
		"each client and form has its own":             downloadsKeys,
		"what was fetched whole is told":               downloadsFetched,
		"racing updates all count":                     downloadsRacing,
	})
}

func downloadKey(client string, form domain.Form) domain.DownloadKey {
	return domain.DownloadKey{Job: jobID(1), File: "f", Client: domain.ClientID(client), Form: form}
}

func (s storeTest) updateDownload(key domain.DownloadKey, change func(*domain.Download)) error {
	return s.try(func(ctx context.Context, tx ports.Tx) error { return tx.Downloads.Update(ctx, key, change) })
}

func (s storeTest) downloads(name string) (accounts []domain.Download) {
	s.Helper()
	s.view(func(ctx context.Context, tx ports.Tx) (err error) {
		accounts, err = tx.Downloads.OfFile(ctx, jobID(1), name)
		return err
	})
	return accounts
}

func downloadsWhole(s storeTest) {
	key := downloadKey("client", domain.GzipForm)
	if got := s.downloads("f"); len(got) != 0 {
		s.Errorf("there are %d accounts of a file never sent", len(got))
	}
	want := domain.Download{Key: key, Sent: []domain.ByteRange{{Start: 0, End: 5}, {Start: 7, End: 1 << 40}}, Fetches: 2, FetchedAt: instantAt(1), Last: instantAt(2)}
	if err := s.updateDownload(key, func(d *domain.Download) {
		if !reflect.DeepEqual(*d, domain.Download{Key: key}) {
			s.Errorf("a new account is %+v", *d)
		}
		*d = want
	}); err != nil {
		s.Fatal(err)
	}
	if err := s.updateDownload(key, func(d *domain.Download) {
		if !reflect.DeepEqual(*d, want) {
			s.Errorf("the account is %+v, want %+v", *d, want)
		}
		d.Sent, d.FetchedAt = nil, time.Time{}
	}); err != nil {
		s.Fatal(err)
	}
	if got := s.downloads("f"); len(got) != 1 || got[0].Sent != nil || !got[0].FetchedAt.IsZero() || got[0].Fetches != 2 {
		s.Errorf("the accounts are %+v", got)
	}
}

func downloadsFetched(s storeTest) {
	for _, client := range []string{"client", "other"} {
		whole, part := downloadKey(client, domain.GzipForm), downloadKey(client, domain.PlainForm)
		part.File = "S0001_0002.ndjson"
		err := errors.Join(s.updateDownload(whole, func(d *domain.Download) { d.Fetches++ }),
			s.updateDownload(part, func(d *domain.Download) { d.Sent = []domain.ByteRange{{Start: 0, End: 9}} }))
		if err != nil {
			s.Fatal(err)
		}
	}
	var names []string
	s.do(func(ctx context.Context, tx ports.Tx) (err error) {
		names, err = tx.Downloads.Fetched(ctx, downloadKey("client", domain.GzipForm).Job)
		return err
	})
	if want := downloadKey("client", domain.GzipForm).File; len(names) != 1 || names[0] != want {
		s.Errorf("fetched whole: %v, want %s", names, want)
	}
}

func downloadsKeys(s storeTest) {
	for _, key := range []domain.DownloadKey{downloadKey("a", domain.GzipForm), downloadKey("a", domain.PlainForm), downloadKey("b", domain.GzipForm)} {
		if err := s.updateDownload(key, func(d *domain.Download) { d.Fetches++ }); err != nil {
			s.Fatal(err)
		}
	}
	if got := s.downloads("f"); len(got) != 3 {
		s.Errorf("there are %d accounts, want 3", len(got))
	}
	if got := s.downloads("g"); len(got) != 0 {
		s.Errorf("another file has %d accounts", len(got))
	}
}

func downloadsRacing(s storeTest) {
	const n = 12
	for _, err := range atOnce(n, func(int) error {
		return s.updateDownload(downloadKey("client", domain.GzipForm), func(d *domain.Download) { d.Fetches++ })
	}) {
		if err != nil {
			s.Error(err)
		}
	}
	if got := s.downloads("f"); len(got) != 1 || got[0].Fetches != n {
		s.Errorf("the accounts are %+v, want %d fetches", got, n)
	}
}

// Polls runs the conformance suite of ports.Polls.
func Polls(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){"the latest poll of a client on a job": pollsLatest})
}

func pollsLatest(s storeTest) {
	last := func(job int, client domain.ClientID) (p ports.Poll, there bool) {
		s.Helper()
		s.view(func(ctx context.Context, tx ports.Tx) (err error) {
			p, there, err = tx.Polls.Last(ctx, jobID(job), client)
			return err
		})
		return p, there
	}
	if _, there := last(1, "a"); there {
		s.Error("there is a poll before the first")
	}
	put := func(p ports.Poll) {
		s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Polls.Put(ctx, jobID(1), "a", p) })
	}
	put(ports.Poll{At: instantAt(1), RetryAfter: time.Second})
	want := ports.Poll{At: instantAt(2), RetryAfter: 1500 * time.Millisecond}
	put(want)
	if got, there := last(1, "a"); !there || got != want {
		s.Errorf("the last poll is %+v, want %+v", got, want)
	}
	if _, there := last(1, "b"); there {
		s.Error("another client has polled")
	}
	if _, there := last(2, "a"); there {
		s.Error("another job was polled")
	}
}
