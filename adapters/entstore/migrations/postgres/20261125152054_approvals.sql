-- +goose Up
-- create "approvals" table
CREATE TABLE "approvals" ("id" character varying NOT NULL, "state" character varying NOT NULL, "asked_by" character varying NOT NULL, "decided_by" character varying NOT NULL DEFAULT '', "asked_at" timestamptz NOT NULL, "body" jsonb NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "approved_by_another" CHECK (((state)::text <> 'approved'::text) OR ((decided_by)::text <> (asked_by)::text)));
-- create index "approval_asked_at" to table: "approvals"
CREATE INDEX "approval_asked_at" ON "approvals" ("asked_at");
-- create index "approval_state_asked_at" to table: "approvals"
CREATE INDEX "approval_state_asked_at" ON "approvals" ("state", "asked_at");
-- create "onboardings" table
CREATE TABLE "onboardings" ("contract" character varying NOT NULL, "body" jsonb NOT NULL, PRIMARY KEY ("contract"));
-- create "one_time_links" table
CREATE TABLE "one_time_links" ("id" character varying NOT NULL, "client" character varying NOT NULL, "sealed" bytea NOT NULL, "ends_at" timestamptz NOT NULL, PRIMARY KEY ("id"));
-- create index "onetimelink_ends_at" to table: "one_time_links"
CREATE INDEX "onetimelink_ends_at" ON "one_time_links" ("ends_at");

-- +goose Down
-- reverse: create index "onetimelink_ends_at" to table: "one_time_links"
DROP INDEX "onetimelink_ends_at";
-- reverse: create "one_time_links" table
DROP TABLE "one_time_links";
-- reverse: create "onboardings" table
DROP TABLE "onboardings";
-- reverse: create index "approval_state_asked_at" to table: "approvals"
DROP INDEX "approval_state_asked_at";
-- reverse: create index "approval_asked_at" to table: "approvals"
DROP INDEX "approval_asked_at";
-- reverse: create "approvals" table
DROP TABLE "approvals";
