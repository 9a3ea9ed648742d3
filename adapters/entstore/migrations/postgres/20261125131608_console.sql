-- +goose Up
-- create index "auditrecord_actor_id_at" to table: "audit_records"
CREATE INDEX "auditrecord_actor_id_at" ON "audit_records" ("actor_id", "at");
-- create index "exportjob_completed_at" to table: "export_jobs"
CREATE INDEX "exportjob_completed_at" ON "export_jobs" ("completed_at");
-- create "switches" table
CREATE TABLE "switches" ("name" character varying NOT NULL, "value" character varying NOT NULL, "changed_at" timestamptz NOT NULL, "changed_by" character varying NOT NULL, PRIMARY KEY ("name"));
-- create "sessions" table
CREATE TABLE "sessions" ("id" character varying NOT NULL, "staff" character varying NOT NULL, "name" character varying NOT NULL, "roles" jsonb NOT NULL, "address" character varying NOT NULL, "request" character varying NOT NULL, "form_token" character varying NOT NULL, "created_at" timestamptz NOT NULL, "seen_at" timestamptz NOT NULL, "ends_at" timestamptz NOT NULL, "agreed_at" timestamptz NULL, "provider" character varying NOT NULL, "notes" jsonb NULL, PRIMARY KEY ("id"));
-- create index "session_ends_at" to table: "sessions"
CREATE INDEX "session_ends_at" ON "sessions" ("ends_at");
-- create index "session_provider" to table: "sessions"
CREATE INDEX "session_provider" ON "sessions" ("provider");
-- create index "session_staff" to table: "sessions"
CREATE INDEX "session_staff" ON "sessions" ("staff");

-- +goose Down
-- reverse: create index "session_staff" to table: "sessions"
DROP INDEX "session_staff";
-- reverse: create index "session_provider" to table: "sessions"
DROP INDEX "session_provider";
-- reverse: create index "session_ends_at" to table: "sessions"
DROP INDEX "session_ends_at";
-- reverse: create "sessions" table
DROP TABLE "sessions";
-- reverse: create "switches" table
DROP TABLE "switches";
-- reverse: create index "exportjob_completed_at" to table: "export_jobs"
DROP INDEX "exportjob_completed_at";
-- reverse: create index "auditrecord_actor_id_at" to table: "audit_records"
DROP INDEX "auditrecord_actor_id_at";
