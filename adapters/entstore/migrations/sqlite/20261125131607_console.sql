-- +goose Up
-- create index "auditrecord_actor_id_at" to table: "audit_records"
CREATE INDEX `auditrecord_actor_id_at` ON `audit_records` (`actor_id`, `at`);
-- create index "exportjob_completed_at" to table: "export_jobs"
CREATE INDEX `exportjob_completed_at` ON `export_jobs` (`completed_at`);
-- create "switches" table
CREATE TABLE `switches` (`name` text NOT NULL, `value` text NOT NULL, `changed_at` datetime NOT NULL, `changed_by` text NOT NULL, PRIMARY KEY (`name`));
-- create "sessions" table
CREATE TABLE `sessions` (`id` text NOT NULL, `staff` text NOT NULL, `name` text NOT NULL, `roles` json NOT NULL, `address` text NOT NULL, `request` text NOT NULL, `form_token` text NOT NULL, `created_at` datetime NOT NULL, `seen_at` datetime NOT NULL, `ends_at` datetime NOT NULL, `agreed_at` datetime NULL, `provider` text NOT NULL, `notes` json NULL, PRIMARY KEY (`id`));
-- create index "session_ends_at" to table: "sessions"
CREATE INDEX `session_ends_at` ON `sessions` (`ends_at`);
-- create index "session_staff" to table: "sessions"
CREATE INDEX `session_staff` ON `sessions` (`staff`);
-- create index "session_provider" to table: "sessions"
CREATE INDEX `session_provider` ON `sessions` (`provider`);

-- +goose Down
-- reverse: create index "session_provider" to table: "sessions"
DROP INDEX `session_provider`;
-- reverse: create index "session_staff" to table: "sessions"
DROP INDEX `session_staff`;
-- reverse: create index "session_ends_at" to table: "sessions"
DROP INDEX `session_ends_at`;
-- reverse: create "sessions" table
DROP TABLE `sessions`;
-- reverse: create "switches" table
DROP TABLE `switches`;
-- reverse: create index "exportjob_completed_at" to table: "export_jobs"
DROP INDEX `exportjob_completed_at`;
-- reverse: create index "auditrecord_actor_id_at" to table: "audit_records"
DROP INDEX `auditrecord_actor_id_at`;
