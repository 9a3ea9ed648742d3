-- +goose Up
-- By hand: making the tables anew, as SQLite's own way would have it, would take the rows that refer to them away.
-- modify "attestation_events" table
ALTER TABLE `attestation_events` ADD COLUMN `data_start` integer NOT NULL DEFAULT (0);
-- modify "contracts" table
ALTER TABLE `contracts` ADD COLUMN `updates` text NOT NULL DEFAULT ('');
ALTER TABLE `contracts` ADD COLUMN `listed` bool NOT NULL DEFAULT (false);
ALTER TABLE `contracts` ADD COLUMN `ends` integer NOT NULL DEFAULT (0);
ALTER TABLE `contracts` ADD COLUMN `enrolled` integer NOT NULL DEFAULT (0);
ALTER TABLE `contracts` ADD COLUMN `eligible` integer NOT NULL DEFAULT (0);
-- add column "confirmed_at" to table: "enrollment_versions"
ALTER TABLE `enrollment_versions` ADD COLUMN `confirmed_at` datetime NULL;
-- create "enrollment_intakes" table
CREATE TABLE `enrollment_intakes` (`contract` text NOT NULL, `months` json NULL, `pass` json NULL, PRIMARY KEY (`contract`));
-- create "errands" table
CREATE TABLE `errands` (`name` text NOT NULL, `token` text NOT NULL DEFAULT (''), `held_until` integer NOT NULL DEFAULT (0), `rests_until` integer NOT NULL DEFAULT (0), PRIMARY KEY (`name`));
-- create "gathered_enrollees" table
CREATE TABLE `gathered_enrollees` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `contract` text NOT NULL, `patient` text NOT NULL, `months` blob NOT NULL, `mbi` text NOT NULL, `historic_mbis` text NOT NULL);
-- create index "gatheredenrollee_contract_patient" to table: "gathered_enrollees"
CREATE UNIQUE INDEX `gatheredenrollee_contract_patient` ON `gathered_enrollees` (`contract`, `patient`);
-- create "holds" table
CREATE TABLE `holds` (`id` text NOT NULL, `kind` text NOT NULL, `contract` text NOT NULL, `at` datetime NOT NULL, `reason` text NOT NULL, `ends` json NULL, `before` integer NOT NULL, `dropped` integer NOT NULL, `state` text NOT NULL, `decided` datetime NULL, `decided_by` json NOT NULL, `note` text NOT NULL, PRIMARY KEY (`id`));
-- create index "hold_state_at" to table: "holds"
CREATE INDEX `hold_state_at` ON `holds` (`state`, `at`);

-- +goose Down
-- reverse: create index "hold_state_at" to table: "holds"
DROP INDEX `hold_state_at`;
-- reverse: create "holds" table
DROP TABLE `holds`;
-- reverse: create index "gatheredenrollee_contract_patient" to table: "gathered_enrollees"
DROP INDEX `gatheredenrollee_contract_patient`;
-- reverse: create "gathered_enrollees" table
DROP TABLE `gathered_enrollees`;
-- reverse: create "errands" table
DROP TABLE `errands`;
-- reverse: create "enrollment_intakes" table
DROP TABLE `enrollment_intakes`;
-- reverse: add column "confirmed_at" to table: "enrollment_versions"
ALTER TABLE `enrollment_versions` DROP COLUMN `confirmed_at`;
-- reverse: modify "contracts" table
ALTER TABLE `contracts` DROP COLUMN `eligible`;
ALTER TABLE `contracts` DROP COLUMN `enrolled`;
ALTER TABLE `contracts` DROP COLUMN `ends`;
ALTER TABLE `contracts` DROP COLUMN `listed`;
ALTER TABLE `contracts` DROP COLUMN `updates`;
-- reverse: modify "attestation_events" table
ALTER TABLE `attestation_events` DROP COLUMN `data_start`;
