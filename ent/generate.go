// Package ent is the generated access to the database. Only adapters/entstore
// imports it; nothing here is written by hand but schema and this file.
package ent

//go:generate go tool ent generate --feature sql/lock,sql/upsert,sql/execquery,sql/modifier,sql/versioned-migration ./schema
