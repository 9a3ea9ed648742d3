package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/application/audit"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

func TestSealing(t *testing.T) {
	for kind, url := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, url(t))
			var told bytes.Buffer
			s := w.sealer()
			s.Log = slog.New(slog.NewTextHandler(&told, nil))
			seal := func() {
				t.Helper()
				if err := s.Seal(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			seal() // of nothing there is no seal
			if r := w.verify(); r.Seals != 0 || r.Heads != 0 || !r.Holds() {
				t.Errorf("an empty trail is %+v", r)
			}
			w.record(2500)
			seal()
			w.record(1)
			r := w.verify()
			if r.Records != 2501 || r.Waiting != 1 || r.Seals != 3 || r.Heads != 3 || r.Last.Records.String() != "2001-2500" || !r.Holds() {
				t.Errorf("the report is %+v", r)
			}
			// The head is outside as it is in the database, and in the logs.
			keys := w.keysUnder("audit/heads/")
			head, err := domain.ParseSeal(w.read(keys[2]))
			if err != nil || head.Hash != r.Last.Hash || !w.keys.Signed(head) {
				t.Errorf("the last head is %+v, %v", head, err)
			}
			if n := strings.Count(told.String(), "the audit trail is sealed"); n != 3 || !strings.Contains(told.String(), r.Last.Hash) {
				t.Errorf("the log tells of %d seals:\n%s", n, &told)
			}
		})
	}
}

// Sealers of several processes work while records come: each record is in one
// seal, and the chain holds.
func TestManySealersAtOnce(t *testing.T) {
	for kind, url := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			u := url(t)
			w := newWorld(t, u)
			var writers, sealers sync.WaitGroup
			over := make(chan struct{})
			for range 3 {
				s := w.sealer()
				s.Store = open(t, u)
				sealers.Go(func() {
					for done := false; !done; {
						select {
						case <-over:
							done = true // and once more, for what came last
						default:
						}
						if err := s.Seal(t.Context()); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			for i := range 4 {
				store := open(t, u)
				writers.Go(func() {
					for n := range 40 {
						err := store.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
							err := tx.Audit.Record(ctx, domain.AuditRecord{At: start, Action: "test", Target: fmt.Sprint(i)})
							if n%5 == 4 {
								return errors.Join(err, errUndo) // which leaves a gap in the numbers
							}
							return err
						})
						if err != nil && !errors.Is(err, errUndo) {
							t.Error(err)
						}
					}
				})
			}
			writers.Wait()
			close(over)
			sealers.Wait()
			w.wantFound()
			if r := w.verify(); r.Records != 4*32 || r.Waiting != 0 || r.Heads != r.Seals {
				t.Errorf("the report is %+v", r)
			}
		})
	}
}

var errUndo = errors.New("undo")

// failing is a store of files that fails.
type failing struct {
	ports.Files
	create, commit error
}

func (f failing) Create(ctx context.Context, key string) (ports.FileWriter, error) {
	if f.create != nil {
		return nil, f.create
	}
	w, err := f.Files.Create(ctx, key)
	return failingWriter{w, f.commit}, err
}

type failingWriter struct {
	ports.FileWriter
	commit error
}

// Commit commits, and dies before it can say so.
func (w failingWriter) Commit() error { return errors.Join(w.FileWriter.Commit(), w.commit) }

var errPower = errors.New("the power went")

// A process dies after it kept seals and before their heads are outside: the next
// one exports them, each once.
func TestHeadsAreExportedAfterACrash(t *testing.T) {
	for name, broken := range map[string]failing{"before the file": {create: errPower}, "after the file": {commit: errPower}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, databases["SQLite"](t))
			w.record(1)
			w.seal()
			for range 3 {
				w.record(1)
				s := w.sealer()
				broken.Files = w.files
				s.Files = broken
				if err := s.Seal(t.Context()); !errors.Is(err, errPower) {
					t.Fatal(err)
				}
			}
			r := w.verify()
			if !r.Holds() || r.Seals != 4 || r.Heads == 4 && broken.create != nil || len(r.Notes) == 0 && broken.create != nil {
				t.Errorf("after the crash: %+v", r)
			}
			w.clock.Advance(2 * time.Hour)
			if r := w.verify(); broken.create != nil && r.Holds() {
				t.Error("nobody minds that heads are not outside for hours")
			}
			w.seal()
			if r := w.verify(); !r.Holds() || r.Heads != 4 || len(r.Notes) > 0 {
				t.Errorf("after the next process: %+v", r)
			}
		})
	}
}

// A key is replaced: what the old one signed stands as long as its public half
// is known.
func TestTheKeyRotates(t *testing.T) {
	w := newWorld(t, databases["SQLite"](t)).sealed()
	old := w.signer
	w.signer = memory.NewSigner()
	w.seal()
	w.wantFound("seal_forged 4 10")
	w.keys = domain.SealKeysOf(old.PublicKey(), w.signer.PublicKey())
	w.wantFound()
	w.keys = domain.SealKeysOf(w.signer.PublicKey())
	w.wantFound("seal_forged 1 1-3", "seal_forged 2 4-6", "seal_forged 3 7-9")
}

// The database is restored from a backup that is older than what was exported.
// That shows, until somebody records why; from then on it is a note for ever.
func TestARestoreShowsUntilItIsRecorded(t *testing.T) {
	w := newWorld(t, databases["SQLite"](t)).sealed()
	r := w.restored()
	if !r.Holds() || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "seals 3-4") {
		t.Errorf("after it was recorded: %+v", r)
	}
	// It excuses what was lost then and nothing else.
	w.setBack()
	w.wantFound("database_lags 3", "database_lags 3")
}

// setBack sets the database back to its first two seals.
func (w *world) setBack() {
	w.exec("DELETE FROM audit_seals WHERE number > 2")
	w.exec("DELETE FROM audit_records WHERE id > 6")
}

// restored loses seals 3 and 4 and records that.
func (w *world) restored() *audit.Report {
	w.Helper()
	w.seal()
	w.setBack()
	w.wantFound("database_lags 3")
	w.record(3) // life goes on
	w.seal()
	w.wantFound("database_lags 3")
	r := w.verify()
	if len(r.Lost) != 1 || r.Lost[0].Seals != (domain.Run{First: 3, Last: 4}) {
		w.Fatalf("lost are %+v", r.Lost)
	}
	restorer := audit.Restorer{Store: w.store, Clock: w.clock}
	if err := restorer.Record(w.Context(), domain.Actor{Kind: "staff", ID: "dana"}, r.Lost, "the disk broke"); err != nil {
		w.Fatal(err)
	}
	w.wantFound("database_lags 3") // as long as it is not sealed anybody could have written it
	w.seal()
	return w.verify()
}

// Whatever order things happen in, whoever dies when: the trail holds, and every
// record is in it once.
func TestTheTrailHoldsWhateverHappens(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t, databases["SQLite"](t))
			recorded := int64(0)
			for range 40 {
				switch r.IntN(7) {
				case 0, 1:
					n := r.IntN(5)
					w.record(n)
					recorded += int64(n)
				case 2, 3:
					w.seal()
				case 4:
					s := w.sealer()
					s.Files = failing{Files: w.files, create: errPower}
					if err := s.Seal(t.Context()); err != nil && !errors.Is(err, errPower) {
						t.Fatal(err)
					}
				case 5:
					w.clock.Advance(time.Duration(r.IntN(20)) * time.Hour)
				case 6:
					a := w.archiver()
					a.Store = &dying{w.store, r.IntN(6)}
					if _, err := a.Archive(t.Context()); err != nil && !errors.Is(err, errPower) {
						t.Fatal(err)
					}
				}
				report := w.verify()
				if i := slices.IndexFunc(report.Problems, func(p audit.Problem) bool { return p.Kind != audit.HeadRemoved }); i >= 0 {
					t.Fatalf("%+v", report.Problems[i])
				}
			}
			w.seal()
			w.clock.Advance(100 * time.Hour)
			w.archive()
			w.wantFound()
			report, archives := w.verify(), w.count("SELECT count(*) FROM audit_archives")
			if got := report.Records + report.Archived; got != recorded+archives {
				t.Errorf("%d records are in the trail, want %d and one for each of %d archives", got, recorded, archives)
			}
		})
	}
}
