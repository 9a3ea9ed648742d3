-- +goose Up
-- add column "terms" to table: "export_jobs"
ALTER TABLE `export_jobs` ADD COLUMN `terms` json NULL;

-- +goose Down
-- reverse: add column "terms" to table: "export_jobs"
ALTER TABLE `export_jobs` DROP COLUMN `terms`;
