-- +goose Up
-- By hand: making the table anew, as SQLite's own way would have it, would take the rows that refer to it away.
-- modify "api_clients" table
ALTER TABLE `api_clients` ADD COLUMN `jwks_url` text NOT NULL DEFAULT ('');
ALTER TABLE `api_clients` ADD COLUMN `jwks` text NOT NULL DEFAULT ('');
ALTER TABLE `api_clients` ADD COLUMN `secrets` json NULL;
-- create "client_activities" table
CREATE TABLE `client_activities` (`client_id` text NOT NULL, `last_used` datetime NULL, `last_from` text NOT NULL DEFAULT (''), `failures` integer NOT NULL DEFAULT (0), `last_failed` datetime NULL, PRIMARY KEY (`client_id`));
-- create "rate_limits" table
CREATE TABLE `rate_limits` (`key` text NOT NULL, `fresh` integer NOT NULL, PRIMARY KEY (`key`));
-- create index "ratelimit_fresh" to table: "rate_limits"
CREATE INDEX `ratelimit_fresh` ON `rate_limits` (`fresh`);
-- create "used_assertions" table
CREATE TABLE `used_assertions` (`id` text NOT NULL, `until` integer NOT NULL, PRIMARY KEY (`id`));
-- create index "usedassertion_until" to table: "used_assertions"
CREATE INDEX `usedassertion_until` ON `used_assertions` (`until`);

-- +goose Down
-- reverse: create index "usedassertion_until" to table: "used_assertions"
DROP INDEX `usedassertion_until`;
-- reverse: create "used_assertions" table
DROP TABLE `used_assertions`;
-- reverse: create index "ratelimit_fresh" to table: "rate_limits"
DROP INDEX `ratelimit_fresh`;
-- reverse: create "rate_limits" table
DROP TABLE `rate_limits`;
-- reverse: create "client_activities" table
DROP TABLE `client_activities`;
-- reverse: modify "api_clients" table
ALTER TABLE `api_clients` DROP COLUMN `secrets`;
ALTER TABLE `api_clients` DROP COLUMN `jwks`;
ALTER TABLE `api_clients` DROP COLUMN `jwks_url`;
