-- +goose Up
-- modify "api_clients" table
ALTER TABLE "api_clients" ADD COLUMN "jwks_url" character varying NOT NULL DEFAULT '', ADD COLUMN "jwks" text NOT NULL DEFAULT '', ADD COLUMN "secrets" jsonb NULL;
-- create "client_activities" table
CREATE TABLE "client_activities" ("client_id" character varying NOT NULL, "last_used" timestamptz NULL, "last_from" character varying NOT NULL DEFAULT '', "failures" bigint NOT NULL DEFAULT 0, "last_failed" timestamptz NULL, PRIMARY KEY ("client_id"));
-- create "rate_limits" table
CREATE TABLE "rate_limits" ("key" character varying NOT NULL, "fresh" bigint NOT NULL, PRIMARY KEY ("key"));
-- create index "ratelimit_fresh" to table: "rate_limits"
CREATE INDEX "ratelimit_fresh" ON "rate_limits" ("fresh");
-- create "used_assertions" table
CREATE TABLE "used_assertions" ("id" character varying NOT NULL, "until" bigint NOT NULL, PRIMARY KEY ("id"));
-- create index "usedassertion_until" to table: "used_assertions"
CREATE INDEX "usedassertion_until" ON "used_assertions" ("until");

-- +goose Down
-- reverse: create index "usedassertion_until" to table: "used_assertions"
DROP INDEX "usedassertion_until";
-- reverse: create "used_assertions" table
DROP TABLE "used_assertions";
-- reverse: create index "ratelimit_fresh" to table: "rate_limits"
DROP INDEX "ratelimit_fresh";
-- reverse: create "rate_limits" table
DROP TABLE "rate_limits";
-- reverse: create "client_activities" table
DROP TABLE "client_activities";
-- reverse: modify "api_clients" table
ALTER TABLE "api_clients" DROP COLUMN "secrets", DROP COLUMN "jwks", DROP COLUMN "jwks_url";
