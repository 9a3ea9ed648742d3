-- +goose Up
-- add column "partials" to table: "export_jobs"
ALTER TABLE `export_jobs` ADD COLUMN `partials` json NULL;

-- +goose Down
-- reverse: add column "partials" to table: "export_jobs"
ALTER TABLE `export_jobs` DROP COLUMN `partials`;
