-- +goose Up
-- add column "continues" to table: "output_files"
ALTER TABLE `output_files` ADD COLUMN `continues` bool NULL;

-- +goose Down
-- reverse: add column "continues" to table: "output_files"
ALTER TABLE `output_files` DROP COLUMN `continues`;
