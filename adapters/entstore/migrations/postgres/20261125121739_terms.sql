-- +goose Up
-- modify "export_jobs" table
ALTER TABLE "export_jobs" ADD COLUMN "terms" jsonb NULL;

-- +goose Down
-- reverse: modify "export_jobs" table
ALTER TABLE "export_jobs" DROP COLUMN "terms";
