-- +goose Up
-- add column "last" to table: "errands"
ALTER TABLE `errands` ADD COLUMN `last` json NULL;
-- create "processes" table
CREATE TABLE `processes` (`id` text NOT NULL, `host` text NOT NULL, `pid` integer NOT NULL, `version` text NOT NULL, `roles` json NULL, `started_at` datetime NOT NULL, `seen_at` integer NOT NULL, `state` json NOT NULL, PRIMARY KEY (`id`));
-- create "source_figures" table
CREATE TABLE `source_figures` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `source` text NOT NULL, `seconds` integer NOT NULL, `begins_at` datetime NOT NULL, `answered` integer NOT NULL, `refused` integer NOT NULL, `failed` integer NOT NULL, `latencies` json NULL);
-- create index "sourcefigure_seconds_begins_at_source" to table: "source_figures"
CREATE UNIQUE INDEX `sourcefigure_seconds_begins_at_source` ON `source_figures` (`seconds`, `begins_at`, `source`);

-- +goose Down
-- reverse: create index "sourcefigure_seconds_begins_at_source" to table: "source_figures"
DROP INDEX `sourcefigure_seconds_begins_at_source`;
-- reverse: create "source_figures" table
DROP TABLE `source_figures`;
-- reverse: create "processes" table
DROP TABLE `processes`;
-- reverse: add column "last" to table: "errands"
ALTER TABLE `errands` DROP COLUMN `last`;
