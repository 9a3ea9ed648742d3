-- +goose Up
-- modify "output_files" table
ALTER TABLE "output_files" ADD COLUMN "continues" boolean NULL;

-- +goose Down
-- reverse: modify "output_files" table
ALTER TABLE "output_files" DROP COLUMN "continues";
