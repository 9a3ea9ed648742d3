// Command generate writes the next migration of each kind of database: what
// distinguishes the schema of package ent from what the migrations so far give.
// It writes none where there is no difference. Run it from the root of the module:
//
//	go run ./adapters/entstore/migrations/generate NAME
//
// For Postgres it needs a server, which it finds or starts as tests do (see
// package pgtest).
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/sqltool"
	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"cms.gov/ab2d/adapters/entstore/migrations"
	"cms.gov/ab2d/adapters/entstore/pgtest/server"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: generate NAME, as in generate add_contract_region")
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, name string) error {
	if err := diff(ctx, name, dialect.SQLite, "sqlite", "file:replay?mode=memory&cache=shared&_pragma=foreign_keys(1)"); err != nil {
		return err
	}
	pg, err := server.Start()
	if err != nil {
		return err
	}
	defer pg.Stop()
	url, err := pg.Create(ctx, "")
	if err != nil {
		return err
	}
	return diff(ctx, name, dialect.Postgres, "pgx", url)
}

// diff replays the migrations so far on an empty database and writes the rest.
func diff(ctx context.Context, name, kind, driver, dsn string) error {
	folder := filepath.Join("adapters", "entstore", "migrations", migrations.Folder(kind))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	dir, err := sqltool.NewGooseDir(folder)
	if err != nil {
		return err
	}
	// Some migrations are written by hand, and the sum follows them.
	sum, err := dir.Checksum()
	if err != nil {
		return err
	}
	if err := migrate.WriteSumFile(dir, sum); err != nil {
		return err
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	m, err := schema.NewMigrate(entsql.OpenDB(kind, db), schema.WithDir(dir), schema.WithMigrationMode(schema.ModeReplay),
		schema.WithDialect(kind), schema.WithDropColumn(true), schema.WithDropIndex(true), schema.WithFormatter(sqltool.GooseFormatter))
	if err != nil {
		return err
	}
	tables, err := migrations.Tables(kind)
	if err != nil {
		return err
	}
	before, err := dir.Files()
	if err != nil {
		return err
	}
	if err := m.NamedDiff(ctx, name, tables...); err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	after, err := dir.Files()
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d migrations, %d of them new\n", kind, len(after), len(after)-len(before))
	return nil
}
