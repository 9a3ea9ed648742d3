-- +goose Up
-- By hand: making the table anew, as SQLite's own way would have it, would take the rows that refer to it away.
-- modify "export_jobs" table
ALTER TABLE `export_jobs` ADD COLUMN `weight` integer NOT NULL DEFAULT (0);
ALTER TABLE `export_jobs` ADD COLUMN `trace` text NOT NULL DEFAULT ('');
-- create index "partition_job_id_state_seq" to table: "partitions"
CREATE INDEX `partition_job_id_state_seq` ON `partitions` (`job_id`, `state`, `seq`);
-- create index "partition_lease_until" to table: "partitions"
CREATE INDEX `partition_lease_until` ON `partitions` (`lease_until`);

-- +goose Down
-- reverse: create index "partition_lease_until" to table: "partitions"
DROP INDEX `partition_lease_until`;
-- reverse: create index "partition_job_id_state_seq" to table: "partitions"
DROP INDEX `partition_job_id_state_seq`;
-- reverse: modify "export_jobs" table
ALTER TABLE `export_jobs` DROP COLUMN `trace`;
ALTER TABLE `export_jobs` DROP COLUMN `weight`;
