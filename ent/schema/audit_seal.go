package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
)

// given is for keys that are given and not counted by the database.
func given() []schema.Annotation {
	no := false
	return []schema.Annotation{entsql.Annotation{Incremental: &no}}
}

// AuditUnsealed is an audit record that waits to be sealed. A trigger of the
// database adds the row to whatever adds the record; see the migrations.
type AuditUnsealed struct{ ent.Schema }

// Annotations name the table.
func (AuditUnsealed) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Table("audit_unsealed")}
}

// Fields of the row.
func (AuditUnsealed) Fields() []ent.Field {
	return []ent.Field{field.Int64("id").StorageKey("record").Annotations(given()...)}
}

// AuditSeal vouches for audit records. Rows are only ever added.
type AuditSeal struct{ ent.Schema }

// Fields of a seal.
func (AuditSeal) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").StorageKey("number").Annotations(given()...),
		field.Time("at").Immutable(),
		field.Text("records").Immutable().Comment("runs of their numbers, as 1-100,103"),
		field.String("digest").Immutable(),
		field.String("previous").Immutable(),
		field.String("hash").Immutable(),
		field.String("key").Immutable(),
		field.Bytes("signature").Immutable(),
		field.Bytes("leaves").Immutable(),
	}
}

// AuditArchive is a file with records that left the database. Rows are only
// ever added.
type AuditArchive struct{ ent.Schema }

// Fields of an archive.
func (AuditArchive) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").StorageKey("first_seal").Annotations(given()...),
		field.Int64("last_seal").Immutable(),
		field.Int64("records").Immutable(),
		field.String("key").Immutable(),
		field.String("sha256").Immutable(),
		field.Int64("bytes").Immutable(),
		field.Time("at").Immutable(),
	}
}
