-- +goose Up
-- modify "export_jobs" table
ALTER TABLE "export_jobs" ADD COLUMN "partials" jsonb NULL;

-- +goose Down
-- reverse: modify "export_jobs" table
ALTER TABLE "export_jobs" DROP COLUMN "partials";
