package audit_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// dying is a database whose process dies after some units of work.
type dying struct {
	ports.UnitOfWork
	after int
}

func (d *dying) Do(ctx context.Context, fn func(ctx context.Context, tx ports.Tx) error) error {
	if d.after == 0 {
		return errPower
	}
	d.after--
	return d.UnitOfWork.Do(ctx, fn)
}

func (w *world) count(query string) (n int64) {
	w.Helper()
	if err := w.db.QueryRow(query).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// old is a world of three seals whose time in the database is over, and one
// record that waits.
func old(t *testing.T, url string) *world {
	t.Helper()
	w := newWorld(t, url).sealed()
	w.clock.Advance(48 * time.Hour)
	return w
}

func TestArchiving(t *testing.T) {
	for kind, url := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := old(t, url(t))
			made := w.archive()
			if len(made) != 1 || made[0].First != 1 || made[0].Last != 3 || made[0].Records != 9 {
				t.Fatalf("made %+v", made)
			}
			if n := w.count("SELECT count(*) FROM audit_records WHERE id < 10"); n != 0 {
				t.Errorf("%d archived records are left in the database", n)
			}
			r := w.verify()
			if !r.Holds() || r.Archived != 9 || r.Records != 2 || r.Seals != 3 || len(r.Notes) > 0 { // and the record of the archive
				t.Errorf("the report is %+v", r)
			}
			// Anybody can read it, with nothing of ours.
			plain, err := gzip.NewReader(bytes.NewReader(w.read(made[0].Key)))
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(plain)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(content)), "\n")
			if len(lines) != 12 || !strings.HasPrefix(lines[0], `{"seal":1,`) || !strings.HasPrefix(lines[1], `{"n":1,"at":"2026-03-02T15:00:01Z","kind":"client"`) {
				t.Errorf("the archive is\n%s", content)
			}
			// What is not old stays, and the next archive goes on from here.
			if more := w.archive(); len(more) != 0 {
				t.Errorf("made %+v too", more)
			}
			w.seal()
			w.clock.Advance(48 * time.Hour)
			if more := w.archive(); len(more) != 1 || more[0].First != 4 || more[0].Last != 4 {
				t.Errorf("then made %+v", more)
			}
			w.wantFound()
		})
	}
}

func TestRecordsStayForEverWhenTheSettingIsZero(t *testing.T) {
	w := old(t, databases["SQLite"](t))
	w.keep = 0
	if made := w.archive(); len(made) != 0 || w.count("SELECT count(*) FROM audit_records") != 10 {
		t.Errorf("made %+v", made)
	}
}

// The process dies after each of its steps. The trail holds at every moment, no
// record is ever gone before its archive is bound, and the next run ends the work.
func TestArchivingAfterACrash(t *testing.T) {
	for steps := range 5 {
		t.Run(fmt.Sprint("after ", steps), func(t *testing.T) {
			w := old(t, databases["SQLite"](t))
			a := w.archiver()
			a.Store = &dying{w.store, steps}
			_, err := a.Archive(t.Context())
			if died := err != nil; died != (steps < 4) {
				t.Fatalf("after %d steps: %v", steps, err)
			}
			r := w.verify()
			inDatabase, bound := w.count("SELECT count(*) FROM audit_records WHERE id < 10"), w.count("SELECT count(*) FROM audit_archives")
			if !r.Holds() || bound == 0 && inDatabase != 9 || inDatabase != 9-3*max(0, int64(steps)-1) {
				t.Errorf("%d records are in the database and %d archives are bound; %+v", inDatabase, bound, r)
			}
			if stray := bound == 0; stray != (len(r.Notes) == 1) {
				t.Errorf("the notes are %q", r.Notes)
			}
			w.archive()
			r = w.verify()
			if !r.Holds() || r.Archived != 9 || w.count("SELECT count(*) FROM audit_records WHERE id < 10") != 0 || w.count("SELECT count(*) FROM audit_archives") != 1 {
				t.Errorf("after the next run: %+v", r)
			}
		})
	}
}

// Two that archive at once: one is bound, the other says so and removes nothing
// that is not bound.
func TestArchivingTogether(t *testing.T) {
	w := old(t, databases["Postgres"](t))
	errs := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := w.archiver().Archive(t.Context())
			errs <- err
		}()
	}
	worked := 0
	for range 3 {
		if err := <-errs; err == nil {
			worked++
		} else if domain.CodeOf(err) != domain.Conflict {
			t.Error(err)
		}
	}
	if worked == 0 {
		t.Error("none of them archived")
	}
	if r := w.verify(); !r.Holds() || r.Archived != 9 {
		t.Errorf("the report is %+v", r)
	}
}

func TestNothingIsArchivedThatDoesNotStand(t *testing.T) {
	for name, change := range map[string]string{
		"a record was changed": "UPDATE audit_records SET target = 'x' WHERE id = 5",
		"a record is missing":  "DELETE FROM audit_records WHERE id = 5",
		"a seal was changed":   "UPDATE audit_seals SET previous = '' WHERE number = 2",
	} {
		t.Run(name, func(t *testing.T) {
			w := old(t, databases["SQLite"](t))
			w.exec(change)
			before := w.count("SELECT count(*) FROM audit_records")
			_, err := w.archiver().Archive(t.Context())
			if domain.CodeOf(err) != domain.Conflict || w.count("SELECT count(*) FROM audit_records") != before || len(w.keysUnder("audit/archives/")) != 0 {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// Records of an archive that is not what was written are not removed, not even
// by a run that only ends the one before.
func TestNothingIsRemovedThatIsNotInItsArchive(t *testing.T) {
	w := old(t, databases["SQLite"](t))
	a := w.archiver()
	a.Store = &dying{w.store, 1}
	if _, err := a.Archive(t.Context()); err == nil {
		t.Fatal("it did not die")
	}
	key := w.keysUnder("audit/archives/")[0]
	w.replace(key, w.read(key)[:100])
	if _, err := w.archiver().Archive(t.Context()); err == nil || w.count("SELECT count(*) FROM audit_records WHERE id < 10") != 9 {
		t.Errorf("the error is %v", err)
	}
}

func TestAChangedArchiveIsFound(t *testing.T) {
	repack := func(change func(plain string) string) func(w *world, key string) {
		return func(w *world, key string) {
			r, err := gzip.NewReader(bytes.NewReader(w.read(key)))
			if err != nil {
				w.Fatal(err)
			}
			plain, err := io.ReadAll(r)
			if err != nil {
				w.Fatal(err)
			}
			changed := change(string(plain))
			if changed == string(plain) {
				w.Fatal("nothing was changed")
			}
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			_, _ = io.WriteString(z, changed) // into memory
			_ = z.Close()
			w.replace(key, packed.Bytes())
		}
	}
	for name, c := range map[string]struct {
		do   func(w *world, key string)
		want string
	}{
		"it is gone":       {func(w *world, key string) { w.remove(key) }, "archive_missing 1"},
		"it is cut off":    {func(w *world, key string) { w.replace(key, w.read(key)[:200]) }, "archive_changed 1"},
		"it is empty":      {func(w *world, key string) { w.replace(key, nil) }, "archive_changed 1"},
		"it has more":      {func(w *world, key string) { w.replace(key, append(w.read(key), "more"...)) }, "archive_changed 1"},
		"a record differs": {repack(func(s string) string { return strings.Replace(s, `"n":5,`, `"n":6,`, 1) }), "archive_changed 1"},
		"a record is gone": {repack(func(s string) string {
			at := strings.Index(s, `{"n":9,`)
			return s[:at]
		}), "archive_changed 1"},
		"a seal differs":  {repack(func(s string) string { return strings.Replace(s, `{"seal":2,`, `{"seal":3,`, 1) }), "archive_changed 1"},
		"a line is added": {repack(func(s string) string { return s + "{}\n" }), "archive_changed 1"},
		"the seal in the database differs": {func(w *world, _ string) {
			w.exec("UPDATE audit_seals SET at = '2020-01-01 00:00:00+00:00' WHERE number = 2")
		}, "seal_changed 2 4-6"},
		"what binds it is gone": {func(w *world, _ string) { w.exec("DELETE FROM audit_archives") }, "record_removed 1 1-3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := old(t, databases["SQLite"](t))
			made := w.archive()
			w.wantFound()
			c.do(w, made[0].Key)
			if found := w.found(); len(found) == 0 || found[0] != c.want {
				t.Errorf("found %q, want %q first", found, c.want)
			}
		})
	}
}

// That a restore was recorded counts too once the record is in an archive.
func TestARecordedRestoreIsFoundInTheArchive(t *testing.T) {
	w := newWorld(t, databases["SQLite"](t)).sealed()
	w.restored()
	w.clock.Advance(48 * time.Hour)
	w.archive()
	r := w.verify()
	if !r.Holds() || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "restored") {
		t.Errorf("the report is %+v", r)
	}
}
