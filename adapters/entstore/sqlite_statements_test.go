package entstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
)

// A connection keeps its statements, and nothing shows of that: not where one is
// asked again while its rows are being read, nor after more of them than are
// kept, nor after one failed or was broken off.
func TestKeptStatementsDoNotShow(t *testing.T) {
	s := open(t, "sqlite:"+filepath.Join(t.TempDir(), "ab2d.db"), nil)
	db := s.DB()
	const numbers = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i < ?) SELECT i FROM n"
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // it changes nothing
	sum := 0
	each(t, tx, numbers, 3, func(outer int) {
		each(t, tx, numbers, outer, func(inner int) { sum += inner })
		for i := range 250 { // more than are kept, while one is being read
			var got int
			if err := tx.QueryRow(fmt.Sprintf("SELECT %d + ?", i), outer).Scan(&got); err != nil || got != i+outer {
				t.Fatalf("%d and %d are %d, %v", i, outer, got, err)
			}
		}
	})
	if sum != 1+3+6 {
		t.Errorf("the sum is %d", sum)
	}
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := tx.QueryContext(ctx, numbers, 1_000_000)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	cancel()
	for rows.Next() {
	}
	rows.Close()
	if _, err := tx.Exec("CREATE TABLE once (i INTEGER PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	for n, want := range []bool{true, false, false} { // the same again is a conflict each time
		if _, err := tx.Exec("INSERT INTO once VALUES (?)", 1); (err == nil) != want {
			t.Errorf("insert %d: %v", n+1, err)
		}
	}
	if _, err := tx.Exec("ALTER TABLE once ADD COLUMN j"); err != nil { // it plans those of the table anew
		t.Fatal(err)
	}
	if _, err := tx.Exec("INSERT INTO once VALUES (?)", 1); err == nil {
		t.Error("one value fits two columns")
	}
	each(t, tx, numbers, 2, func(int) {})
}

func each(t *testing.T, tx *sql.Tx, query string, arg int, do func(int)) {
	t.Helper()
	rows, err := tx.Query(query, arg)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var i int
		if err := rows.Scan(&i); err != nil {
			t.Fatal(err)
		}
		n++
		do(i)
	}
	if err := rows.Err(); err != nil || n != arg {
		t.Errorf("%d rows of %d, %v", n, arg, err)
	}
}
