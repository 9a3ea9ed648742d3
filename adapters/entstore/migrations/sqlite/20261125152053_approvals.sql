-- +goose Up
-- create "approvals" table
CREATE TABLE `approvals` (`id` text NOT NULL, `state` text NOT NULL, `asked_by` text NOT NULL, `decided_by` text NOT NULL DEFAULT (''), `asked_at` datetime NOT NULL, `body` json NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `approved_by_another` CHECK (state <> 'approved' OR decided_by <> asked_by));
-- create index "approval_state_asked_at" to table: "approvals"
CREATE INDEX `approval_state_asked_at` ON `approvals` (`state`, `asked_at`);
-- create index "approval_asked_at" to table: "approvals"
CREATE INDEX `approval_asked_at` ON `approvals` (`asked_at`);
-- create "onboardings" table
CREATE TABLE `onboardings` (`contract` text NOT NULL, `body` json NOT NULL, PRIMARY KEY (`contract`));
-- create "one_time_links" table
CREATE TABLE `one_time_links` (`id` text NOT NULL, `client` text NOT NULL, `sealed` blob NOT NULL, `ends_at` datetime NOT NULL, PRIMARY KEY (`id`));
-- create index "onetimelink_ends_at" to table: "one_time_links"
CREATE INDEX `onetimelink_ends_at` ON `one_time_links` (`ends_at`);

-- +goose Down
-- reverse: create index "onetimelink_ends_at" to table: "one_time_links"
DROP INDEX `onetimelink_ends_at`;
-- reverse: create "one_time_links" table
DROP TABLE `one_time_links`;
-- reverse: create "onboardings" table
DROP TABLE `onboardings`;
-- reverse: create index "approval_asked_at" to table: "approvals"
DROP INDEX `approval_asked_at`;
-- reverse: create index "approval_state_asked_at" to table: "approvals"
DROP INDEX `approval_state_asked_at`;
-- reverse: create "approvals" table
DROP TABLE `approvals`;
