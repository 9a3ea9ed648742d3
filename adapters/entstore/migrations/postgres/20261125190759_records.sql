-- +goose Up
-- create index "auditrecord_outcome_id" to table: "audit_records"
CREATE INDEX "auditrecord_outcome_id" ON "audit_records" ("outcome", "id") WHERE ((outcome)::text <> 'done'::text);
-- create index "auditrecord_refused" to table: "audit_records"
CREATE INDEX "auditrecord_refused" ON "audit_records" ("id") WHERE (((outcome)::text <> 'done'::text) AND ((outcome)::text <> 'repeated'::text));
-- modify "contracts" table
ALTER TABLE "contracts" ADD COLUMN "type" character varying NOT NULL DEFAULT '';
-- modify "export_jobs" table
ALTER TABLE "export_jobs" ADD COLUMN "exported_bytes" bigint NOT NULL DEFAULT 0;
-- by hand: what the files there are come to
UPDATE "export_jobs" SET "exported_bytes" = f."sum" FROM (SELECT "job_id", SUM("plain_bytes") AS "sum" FROM "output_files" GROUP BY "job_id") f WHERE f."job_id" = "export_jobs"."id";
-- modify "sponsors" table
ALTER TABLE "sponsors" ADD COLUMN "updates" character varying NOT NULL DEFAULT '', ADD COLUMN "inactive" boolean NOT NULL DEFAULT false, ADD COLUMN "merged_into" character varying NOT NULL DEFAULT '';

-- +goose Down
-- reverse: modify "sponsors" table
ALTER TABLE "sponsors" DROP COLUMN "merged_into", DROP COLUMN "inactive", DROP COLUMN "updates";
-- reverse: modify "export_jobs" table
ALTER TABLE "export_jobs" DROP COLUMN "exported_bytes";
-- reverse: modify "contracts" table
ALTER TABLE "contracts" DROP COLUMN "type";
-- reverse: create index "auditrecord_refused" to table: "audit_records"
DROP INDEX "auditrecord_refused";
-- reverse: create index "auditrecord_outcome_id" to table: "audit_records"
DROP INDEX "auditrecord_outcome_id";
