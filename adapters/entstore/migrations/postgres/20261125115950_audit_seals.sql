-- +goose Up
-- create "audit_archives" table
CREATE TABLE "audit_archives" ("first_seal" bigint NOT NULL, "last_seal" bigint NOT NULL, "records" bigint NOT NULL, "key" character varying NOT NULL, "sha256" character varying NOT NULL, "bytes" bigint NOT NULL, "at" timestamptz NOT NULL, PRIMARY KEY ("first_seal"));
-- create "audit_seals" table
CREATE TABLE "audit_seals" ("number" bigint NOT NULL, "at" timestamptz NOT NULL, "records" text NOT NULL, "digest" character varying NOT NULL, "previous" character varying NOT NULL, "hash" character varying NOT NULL, "key" character varying NOT NULL, "signature" bytea NOT NULL, "leaves" bytea NOT NULL, PRIMARY KEY ("number"));
-- create "audit_unsealed" table
CREATE TABLE "audit_unsealed" ("record" bigint NOT NULL, PRIMARY KEY ("record"));
-- by hand: whatever adds a record makes it wait to be sealed, a process of the version before too
-- +goose StatementBegin
CREATE FUNCTION "audit_record_waits"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO "audit_unsealed" ("record") VALUES (NEW."id");
	RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER "audit_record_waits" AFTER INSERT ON "audit_records" FOR EACH ROW EXECUTE FUNCTION "audit_record_waits"();
-- by hand: so do those that are there
INSERT INTO "audit_unsealed" ("record") SELECT "id" FROM "audit_records";

-- +goose Down
-- reverse: by hand
DROP TRIGGER "audit_record_waits" ON "audit_records";
DROP FUNCTION "audit_record_waits"();
-- reverse: create "audit_unsealed" table
DROP TABLE "audit_unsealed";
-- reverse: create "audit_seals" table
DROP TABLE "audit_seals";
-- reverse: create "audit_archives" table
DROP TABLE "audit_archives";
