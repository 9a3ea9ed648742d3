// Package migrations holds the steps that bring a database to the schema of
// package ent: one folder of goose files for each kind of database, made from
// the schema by the program in generate and then never changed.
//
// To change the schema: edit ent/schema, run go generate ./ent, then
//
//	go run ./adapters/entstore/migrations/generate NAME
//
// and read what it wrote before it is committed.
package migrations

import (
	"embed"
	"fmt"
	"io/fs"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql/schema"

	"cms.gov/ab2d/ent/coverage"
	"cms.gov/ab2d/ent/gatheredenrollee"
	"cms.gov/ab2d/ent/migrate"
	ours "cms.gov/ab2d/ent/schema"
)

//go:embed sqlite/*.sql postgres/*.sql
var files embed.FS

// For returns the migrations of a kind of database, by its ent name.
func For(name string) (fs.FS, error) { return fs.Sub(files, Folder(name)) }

// Folder returns the folder of a kind of database.
func Folder(name string) string {
	if name == dialect.SQLite {
		return "sqlite"
	}
	return "postgres"
}

// Tables returns the schema of package ent as that kind of database is to have
// it: on Postgres patients sort by the bytes of their ids whatever the
// collation of the database, as they do on SQLite by themselves.
func Tables(name string) ([]*schema.Table, error) {
	tables, err := schema.CopyTables(migrate.Tables)
	if err != nil || name != dialect.Postgres {
		return tables, err
	}
	for table, column := range map[string]string{coverage.Table: coverage.FieldPatient, gatheredenrollee.Table: gatheredenrollee.FieldPatient} {
		if err := byBytes(tables, table, column); err != nil {
			return nil, err
		}
	}
	for _, t := range tables {
		for _, i := range t.Indexes {
			if i.Annotation == nil || i.Annotation.Where == "" {
				continue
			}
			words, known := inPostgres[i.Annotation.Where]
			if !known {
				return nil, fmt.Errorf("how Postgres words the condition %q of the index %s is not known", i.Annotation.Where, i.Name)
			}
			i.Annotation.Where = words
		}
	}
	return tables, nil
}

// inPostgres are the conditions of indexes as Postgres keeps them, which is what
// it is compared with.
var inPostgres = map[string]string{
	ours.NotDone: "((outcome)::text <> 'done'::text)",
	ours.Refused: "(((outcome)::text <> 'done'::text) AND ((outcome)::text <> 'repeated'::text))",
}

func byBytes(tables []*schema.Table, table, column string) error {
	for _, t := range tables {
		if t.Name != table {
			continue
		}
		for _, c := range t.Columns {
			if c.Name == column {
				c.Collation = "C"
				return nil
			}
		}
	}
	return fmt.Errorf("the schema has no column %s.%s", table, column)
}
