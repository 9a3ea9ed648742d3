-- +goose Up
-- create "preferences" table
CREATE TABLE `preferences` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `mbi` text NOT NULL, `shares` bool NOT NULL, `effective` integer NOT NULL, `recorded` datetime NOT NULL, `source` text NOT NULL);
-- create index "preference_mbi_effective_recorded_shares_source" to table: "preferences"
CREATE UNIQUE INDEX `preference_mbi_effective_recorded_shares_source` ON `preferences` (`mbi`, `effective`, `recorded`, `shares`, `source`);

-- +goose Down
-- reverse: create index "preference_mbi_effective_recorded_shares_source" to table: "preferences"
DROP INDEX `preference_mbi_effective_recorded_shares_source`;
-- reverse: create "preferences" table
DROP TABLE `preferences`;
