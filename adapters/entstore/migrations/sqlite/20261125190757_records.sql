-- +goose Up
-- By hand: making the tables anew, as SQLite's own way would have it, would take the rows that refer to them away.
-- create index "auditrecord_outcome_id" to table: "audit_records"
CREATE INDEX `auditrecord_outcome_id` ON `audit_records` (`outcome`, `id`) WHERE outcome <> 'done';
-- create index "auditrecord_refused" to table: "audit_records"
CREATE INDEX `auditrecord_refused` ON `audit_records` (`id`) WHERE outcome <> 'done' AND outcome <> 'repeated';
-- modify "contracts" table
ALTER TABLE `contracts` ADD COLUMN `type` text NOT NULL DEFAULT ('');
-- modify "export_jobs" table
ALTER TABLE `export_jobs` ADD COLUMN `exported_bytes` integer NOT NULL DEFAULT (0);
UPDATE `export_jobs` SET `exported_bytes` = (SELECT COALESCE(SUM(`plain_bytes`), 0) FROM `output_files` WHERE `job_id` = `export_jobs`.`id`);
-- modify "sponsors" table
ALTER TABLE `sponsors` ADD COLUMN `updates` text NOT NULL DEFAULT ('');
ALTER TABLE `sponsors` ADD COLUMN `inactive` bool NOT NULL DEFAULT (false);
ALTER TABLE `sponsors` ADD COLUMN `merged_into` text NOT NULL DEFAULT ('');

-- +goose Down
-- reverse: modify "sponsors" table
ALTER TABLE `sponsors` DROP COLUMN `merged_into`;
ALTER TABLE `sponsors` DROP COLUMN `inactive`;
ALTER TABLE `sponsors` DROP COLUMN `updates`;
-- reverse: modify "export_jobs" table
ALTER TABLE `export_jobs` DROP COLUMN `exported_bytes`;
-- reverse: modify "contracts" table
ALTER TABLE `contracts` DROP COLUMN `type`;
-- reverse: create index "auditrecord_refused" to table: "audit_records"
DROP INDEX `auditrecord_refused`;
-- reverse: create index "auditrecord_outcome_id" to table: "audit_records"
DROP INDEX `auditrecord_outcome_id`;
