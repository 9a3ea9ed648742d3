package audit_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/domain"
)

// tamperings are the ways in which somebody with all rights to the database or
// to the store of files could change the past, and what is found of each.
var tamperings = map[string]struct {
	do   func(w *world)
	want []string
}{
	"nothing": {func(w *world) {}, nil},
	"a record is changed": {func(w *world) {
		w.exec("UPDATE audit_records SET target = 'S0002' WHERE id = 5")
	}, []string{"record_changed 2 5"}},
	"the last sealed record is removed": {func(w *world) {
		w.exec("DELETE FROM audit_records WHERE id = 9")
	}, []string{"record_removed 3 9"}},
	"all records of a seal are removed": {func(w *world) {
		w.exec("DELETE FROM audit_records WHERE id BETWEEN 4 AND 6")
	}, []string{"record_removed 2 4-6"}},
	"two records trade places": {func(w *world) {
		w.exec("UPDATE audit_records SET id = 100 WHERE id = 2")
		w.exec("UPDATE audit_records SET id = 2 WHERE id = 8")
		w.exec("UPDATE audit_records SET id = 8 WHERE id = 100")
	}, []string{"record_changed 1 2", "record_changed 3 8"}},
	"a record is moved to another number": {func(w *world) {
		w.exec("UPDATE audit_records SET id = 100 WHERE id = 2")
	}, []string{"record_removed 1 2", "record_added 0 100"}},
	"a record is added past the program": {func(w *world) {
		w.exec("INSERT INTO audit_records (id, at, actor_kind, actor_id, actor_from, action, target, outcome) VALUES (50, '2026-03-02 15:00:00+00:00', 'client', 'c1', '', 'export.start', 'S0001', 'done')")
		w.exec("DELETE FROM audit_unsealed WHERE record = 50")
	}, []string{"record_added 0 50"}},
	"a record no longer waits": {func(w *world) {
		w.exec("DELETE FROM audit_unsealed WHERE record = 10")
	}, []string{"record_added 0 10"}},
	"a record is removed while it waits": {func(w *world) {
		w.exec("DELETE FROM audit_records WHERE id = 10")
	}, []string{"record_removed 0 10"}},
	"a record was removed before it was sealed": {func(w *world) {
		w.exec("DELETE FROM audit_records WHERE id = 10")
		w.record(1)
		w.seal()
	}, []string{"record_removed 4 10"}},
	"the last seal is removed": {func(w *world) {
		w.exec("DELETE FROM audit_seals WHERE number = 3")
	}, []string{"record_added 0 7-9", "database_lags 3"}},
	"the last seal and its records are removed": {func(w *world) {
		w.exec("DELETE FROM audit_seals WHERE number = 3")
		w.exec("DELETE FROM audit_records WHERE id > 6")
		w.exec("DELETE FROM audit_unsealed")
	}, []string{"database_lags 3"}},
	"the last seal is removed, and another is made of its records": {func(w *world) {
		w.exec("DELETE FROM audit_seals WHERE number = 3")
		w.exec("UPDATE audit_records SET target = 'S0002' WHERE id = 8")
		w.exec("INSERT INTO audit_unsealed (record) VALUES (7), (8), (9)")
		w.seal() // with the right key: only what was exported tells
	}, []string{"database_lags 3"}},
	"a seal in the middle is removed": {func(w *world) {
		w.exec("DELETE FROM audit_seals WHERE number = 2")
	}, []string{"seal_missing 2", "record_added 0 4-6", "database_lags 2"}},
	"the first seal and its records are removed": {func(w *world) {
		w.exec("DELETE FROM audit_seals WHERE number = 1")
		w.exec("DELETE FROM audit_records WHERE id < 4")
	}, []string{"seal_missing 1", "database_lags 1"}},
	"a seal vouches for other records": {func(w *world) {
		w.exec("UPDATE audit_seals SET records = '4-5,100' WHERE number = 2")
	}, []string{"seal_changed 2 4-5,100", "record_added 0 6"}},
	"a seal has unreadable records": {func(w *world) {
		w.exec("UPDATE audit_seals SET records = 'all' WHERE number = 2")
	}, []string{"seal_changed 2", "record_added 0 4-6"}},
	"a seal is signed by another": {func(w *world) {
		w.forge(2)
	}, []string{"seal_forged 2 4-6", "database_lags 2"}},
	"the whole chain is made anew with another key": {func(w *world) {
		w.exec("DELETE FROM audit_seals")
		w.exec("INSERT INTO audit_unsealed (record) SELECT id FROM audit_records WHERE id < 10")
		right := w.signer
		w.signer = memory.NewSigner()
		w.seal()
		w.signer = right
	}, []string{"seal_forged 1 1-10", "database_lags 1"}},
	"an exported head is removed": {func(w *world) {
		w.remove(w.keysUnder("audit/heads/")[1])
	}, []string{"head_removed 2"}},
	"an exported head says something else": {func(w *world) {
		key := w.keysUnder("audit/heads/")[1]
		w.remove(key)
		w.replace(strings.TrimSuffix(key, key[len(key)-len("0000.json"):])+"0000.json", []byte("{}\n"))
	}, []string{"head_unreadable 2"}},
	"a file lies among the heads": {func(w *world) {
		w.replace("audit/heads/notes.txt", []byte("hello"))
	}, []string{"head_unreadable 0"}},
}

// forge puts a seal of another key in the place of one.
func (w *world) forge(number int64) {
	w.Helper()
	var previous, digest string
	var leaves []byte
	if err := w.db.QueryRow("SELECT previous, digest, leaves FROM audit_seals WHERE number = $1", number).Scan(&previous, &digest, &leaves); err != nil {
		w.Fatal(err)
	}
	thief := memory.NewSigner()
	s := domain.NewSeal(domain.Seal{Number: number - 1, Hash: previous}, w.clock.Now(), domain.NumbersOf([]int64{4, 5, 6}), leaves, domain.SealKeyID(w.signer.PublicKey()))
	signature, err := thief.Sign(w.Context(), s.Signed())
	if err != nil {
		w.Fatal(err)
	}
	w.exec("DELETE FROM audit_seals WHERE number = $1", number)
	w.exec("INSERT INTO audit_seals (number, at, records, digest, previous, hash, key, signature, leaves) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		number, s.At, s.Records.String(), digest, previous, s.Hash, s.Key, signature, leaves)
}

func TestEveryTamperingIsFound(t *testing.T) {
	for kind, url := range databases {
		for name, c := range tamperings {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, url(t)).sealed()
				c.do(w)
				w.wantFound(c.want...)
			})
		}
	}
}

// others are values that a cell of a column is changed to, where a text would not do.
var others = map[string]string{
	"at": "'2020-01-01 00:00:00+00:00'", "detail": `'{"a":"b"}'`, "signature": "x'00'", "leaves": "x'00'",
	"last_seal": "2", "records": "'9'", "bytes": "1",
}

// Whichever cell of the trail is changed, and whichever row is removed: it is found.
func TestNoCellCanBeChangedUnseen(t *testing.T) {
	w := newWorld(t, databases["SQLite"](t))
	w.record(2)
	w.seal()
	w.clock.Advance(48 * time.Hour)
	w.archive()
	w.seal() // the record of the archive
	w.record(2)
	w.seal()
	w.wantFound()
	w.db.SetMaxOpenConns(1) // the temporary table belongs to its connection
	tried := 0
	for table, key := range map[string]string{"audit_records": "id", "audit_seals": "number", "audit_archives": "first_seal"} {
		for _, id := range w.strings(fmt.Sprintf("SELECT %s FROM %s", key, table)) {
			where := fmt.Sprintf("WHERE %s = %s", key, id)
			check := func(what, change, undo string) {
				tried++
				w.exec(change)
				if w.verify().Holds() {
					t.Errorf("unseen: %s of row %s of %s", what, id, table)
				}
				w.exec(undo)
			}
			_, err := w.db.Exec(fmt.Sprintf("CREATE TEMP TABLE kept AS SELECT * FROM %s %s", table, where))
			if err != nil {
				t.Fatal(err)
			}
			for _, column := range w.strings(fmt.Sprintf("SELECT name FROM pragma_table_info('%s') WHERE pk = 0", table)) {
				value, given := others[column]
				if table == "audit_archives" && (column == "at" || column == "bytes") {
					continue // nothing rests on when an archive was made, and how long it is its hash tells too
				}
				if !given {
					value = "'x'"
				}
				check(column, fmt.Sprintf("UPDATE %s SET %s = %s %s", table, column, value, where),
					fmt.Sprintf("UPDATE %s SET %s = (SELECT %s FROM kept) %s", table, column, column, where))
			}
			check("all", fmt.Sprintf("DELETE FROM %s %s", table, where), fmt.Sprintf("INSERT INTO %s SELECT * FROM kept", table))
			if table == "audit_records" {
				w.exec("DELETE FROM audit_unsealed") // putting it back made it wait again
			}
			w.exec("DROP TABLE kept")
		}
	}
	w.wantFound()
	if tried < 50 {
		t.Errorf("only %d changes were tried", tried)
	}
}

func (w *world) strings(query string) (all []string) {
	w.Helper()
	rows, err := w.db.Query(query)
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			w.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		w.Fatal(err)
	}
	return all
}
