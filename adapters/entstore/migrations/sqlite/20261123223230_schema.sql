-- +goose Up
-- create "api_clients" table
CREATE TABLE `api_clients` (`id` text NOT NULL, `name` text NOT NULL, `contracts` json NOT NULL, `enabled` bool NOT NULL, `networks` json NOT NULL, `created_at` datetime NOT NULL, `sponsor_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `api_clients_sponsors_clients` FOREIGN KEY (`sponsor_id`) REFERENCES `sponsors` (`id`) ON DELETE NO ACTION);
-- create "attestation_events" table
CREATE TABLE `attestation_events` (`number` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `event_id` text NOT NULL, `contract` text NOT NULL, `kind` text NOT NULL, `attestor_name` text NOT NULL, `attestor_office` text NOT NULL, `effective` integer NOT NULL, `recorded` datetime NOT NULL, `source` text NOT NULL, `actor` json NOT NULL, `reason` text NOT NULL, `corrects` text NOT NULL, `corrected_kind` text NOT NULL);
-- create index "attestation_events_event_id_key" to table: "attestation_events"
CREATE UNIQUE INDEX `attestation_events_event_id_key` ON `attestation_events` (`event_id`);
-- create index "attestationevent_contract_number" to table: "attestation_events"
CREATE INDEX `attestationevent_contract_number` ON `attestation_events` (`contract`, `number`);
-- create "audit_records" table
CREATE TABLE `audit_records` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `at` datetime NOT NULL, `actor_kind` text NOT NULL, `actor_id` text NOT NULL, `actor_from` text NOT NULL, `action` text NOT NULL, `target` text NOT NULL, `outcome` text NOT NULL, `detail` json NULL);
-- create index "auditrecord_at" to table: "audit_records"
CREATE INDEX `auditrecord_at` ON `audit_records` (`at`);
-- create index "auditrecord_target_at" to table: "audit_records"
CREATE INDEX `auditrecord_target_at` ON `audit_records` (`target`, `at`);
-- create index "auditrecord_action_at" to table: "audit_records"
CREATE INDEX `auditrecord_action_at` ON `audit_records` (`action`, `at`);
-- create "contracts" table
CREATE TABLE `contracts` (`number` text NOT NULL, `name` text NOT NULL, `sponsor_id` text NOT NULL, PRIMARY KEY (`number`), CONSTRAINT `contracts_sponsors_contracts` FOREIGN KEY (`sponsor_id`) REFERENCES `sponsors` (`id`) ON DELETE NO ACTION);
-- create "coverage" table
CREATE TABLE `coverage` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `contract` text NOT NULL, `patient` text NOT NULL, `from_version` integer NOT NULL, `until_version` integer NULL, `months` blob NOT NULL, `mbi` text NOT NULL, `historic_mbis` text NOT NULL);
-- create index "coverage_contract_patient_from_version" to table: "coverage"
CREATE UNIQUE INDEX `coverage_contract_patient_from_version` ON `coverage` (`contract`, `patient`, `from_version`);
-- create "downloads" table
CREATE TABLE `downloads` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `job_id` text NOT NULL, `file` text NOT NULL, `client` text NOT NULL, `form` text NOT NULL, `sent` json NULL, `fetches` integer NOT NULL DEFAULT (0), `fetched_at` datetime NULL, `last` datetime NULL);
-- create index "download_job_id_file_client_form" to table: "downloads"
CREATE UNIQUE INDEX `download_job_id_file_client_form` ON `downloads` (`job_id`, `file`, `client`, `form`);
-- create "enrollment_versions" table
CREATE TABLE `enrollment_versions` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `contract` text NOT NULL, `version` integer NOT NULL, `recorded_at` datetime NOT NULL);
-- create index "enrollmentversion_contract_version" to table: "enrollment_versions"
CREATE UNIQUE INDEX `enrollmentversion_contract_version` ON `enrollment_versions` (`contract`, `version`);
-- create index "enrollmentversion_contract_recorded_at" to table: "enrollment_versions"
CREATE INDEX `enrollmentversion_contract_recorded_at` ON `enrollment_versions` (`contract`, `recorded_at`);
-- create "export_jobs" table
CREATE TABLE `export_jobs` (`id` text NOT NULL, `sponsor` text NOT NULL, `client` text NOT NULL, `contracts` json NOT NULL, `skipped` json NOT NULL, `fhir_version` text NOT NULL, `request` text NOT NULL, `since` datetime NULL, `until` datetime NULL, `state` text NOT NULL, `created_at` datetime NOT NULL, `started_at` datetime NULL, `completed_at` datetime NULL, `expires_at` datetime NULL, `transaction_time` datetime NULL, `plans` json NOT NULL, `accounts` json NOT NULL, `failure` json NOT NULL, PRIMARY KEY (`id`));
-- create index "exportjob_state_created_at" to table: "export_jobs"
CREATE INDEX `exportjob_state_created_at` ON `export_jobs` (`state`, `created_at`);
-- create index "exportjob_sponsor_created_at" to table: "export_jobs"
CREATE INDEX `exportjob_sponsor_created_at` ON `export_jobs` (`sponsor`, `created_at`);
-- create index "exportjob_created_at" to table: "export_jobs"
CREATE INDEX `exportjob_created_at` ON `export_jobs` (`created_at`);
-- create index "exportjob_state_expires_at" to table: "export_jobs"
CREATE INDEX `exportjob_state_expires_at` ON `export_jobs` (`state`, `expires_at`);
-- create "job_contracts" table
CREATE TABLE `job_contracts` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `contract` text NOT NULL, `job_id` text NOT NULL, CONSTRAINT `job_contracts_export_jobs_held_contracts` FOREIGN KEY (`job_id`) REFERENCES `export_jobs` (`id`) ON DELETE NO ACTION);
-- create index "jobcontract_contract_job_id" to table: "job_contracts"
CREATE UNIQUE INDEX `jobcontract_contract_job_id` ON `job_contracts` (`contract`, `job_id`);
-- create index "jobcontract_job_id" to table: "job_contracts"
CREATE INDEX `jobcontract_job_id` ON `job_contracts` (`job_id`);
-- create "output_files" table
CREATE TABLE `output_files` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `name` text NOT NULL, `contract` text NOT NULL, `kind` text NOT NULL, `key` text NOT NULL, `lines` integer NOT NULL, `plain_bytes` integer NOT NULL, `plain_sha256` text NOT NULL, `stored_bytes` integer NOT NULL, `stored_sha256` text NOT NULL, `index` blob NULL, `job_id` text NOT NULL, CONSTRAINT `output_files_export_jobs_files` FOREIGN KEY (`job_id`) REFERENCES `export_jobs` (`id`) ON DELETE NO ACTION);
-- create index "outputfile_job_id_name" to table: "output_files"
CREATE UNIQUE INDEX `outputfile_job_id_name` ON `output_files` (`job_id`, `name`);
-- create "partitions" table
CREATE TABLE `partitions` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `seq` integer NOT NULL, `contract` text NOT NULL, `key_from` text NOT NULL, `key_to` text NOT NULL, `members` integer NOT NULL, `state` text NOT NULL, `attempt` integer NOT NULL DEFAULT (0), `processed` integer NOT NULL DEFAULT (0), `result` json NULL, `lease_token` text NULL, `lease_until` integer NULL, `queued_at` integer NOT NULL DEFAULT (0), `job_id` text NOT NULL, CONSTRAINT `partitions_export_jobs_partitions` FOREIGN KEY (`job_id`) REFERENCES `export_jobs` (`id`) ON DELETE NO ACTION);
-- create index "partition_job_id_seq" to table: "partitions"
CREATE UNIQUE INDEX `partition_job_id_seq` ON `partitions` (`job_id`, `seq`);
-- create index "partition_state_queued_at" to table: "partitions"
CREATE INDEX `partition_state_queued_at` ON `partitions` (`state`, `queued_at`);
-- create "polls" table
CREATE TABLE `polls` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `job_id` text NOT NULL, `client` text NOT NULL, `at` datetime NOT NULL, `retry_after` integer NOT NULL);
-- create index "poll_job_id_client" to table: "polls"
CREATE UNIQUE INDEX `poll_job_id_client` ON `polls` (`job_id`, `client`);
-- create "secrets" table
CREATE TABLE `secrets` (`name` text NOT NULL, `value` blob NOT NULL, PRIMARY KEY (`name`));
-- create "sponsors" table
CREATE TABLE `sponsors` (`id` text NOT NULL, `name` text NOT NULL, `parent` text NOT NULL DEFAULT (''), PRIMARY KEY (`id`));

-- +goose Down
-- reverse: create "sponsors" table
DROP TABLE `sponsors`;
-- reverse: create "secrets" table
DROP TABLE `secrets`;
-- reverse: create index "poll_job_id_client" to table: "polls"
DROP INDEX `poll_job_id_client`;
-- reverse: create "polls" table
DROP TABLE `polls`;
-- reverse: create index "partition_state_queued_at" to table: "partitions"
DROP INDEX `partition_state_queued_at`;
-- reverse: create index "partition_job_id_seq" to table: "partitions"
DROP INDEX `partition_job_id_seq`;
-- reverse: create "partitions" table
DROP TABLE `partitions`;
-- reverse: create index "outputfile_job_id_name" to table: "output_files"
DROP INDEX `outputfile_job_id_name`;
-- reverse: create "output_files" table
DROP TABLE `output_files`;
-- reverse: create index "jobcontract_job_id" to table: "job_contracts"
DROP INDEX `jobcontract_job_id`;
-- reverse: create index "jobcontract_contract_job_id" to table: "job_contracts"
DROP INDEX `jobcontract_contract_job_id`;
-- reverse: create "job_contracts" table
DROP TABLE `job_contracts`;
-- reverse: create index "exportjob_state_expires_at" to table: "export_jobs"
DROP INDEX `exportjob_state_expires_at`;
-- reverse: create index "exportjob_created_at" to table: "export_jobs"
DROP INDEX `exportjob_created_at`;
-- reverse: create index "exportjob_sponsor_created_at" to table: "export_jobs"
DROP INDEX `exportjob_sponsor_created_at`;
-- reverse: create index "exportjob_state_created_at" to table: "export_jobs"
DROP INDEX `exportjob_state_created_at`;
-- reverse: create "export_jobs" table
DROP TABLE `export_jobs`;
-- reverse: create index "enrollmentversion_contract_recorded_at" to table: "enrollment_versions"
DROP INDEX `enrollmentversion_contract_recorded_at`;
-- reverse: create index "enrollmentversion_contract_version" to table: "enrollment_versions"
DROP INDEX `enrollmentversion_contract_version`;
-- reverse: create "enrollment_versions" table
DROP TABLE `enrollment_versions`;
-- reverse: create index "download_job_id_file_client_form" to table: "downloads"
DROP INDEX `download_job_id_file_client_form`;
-- reverse: create "downloads" table
DROP TABLE `downloads`;
-- reverse: create index "coverage_contract_patient_from_version" to table: "coverage"
DROP INDEX `coverage_contract_patient_from_version`;
-- reverse: create "coverage" table
DROP TABLE `coverage`;
-- reverse: create "contracts" table
DROP TABLE `contracts`;
-- reverse: create index "auditrecord_action_at" to table: "audit_records"
DROP INDEX `auditrecord_action_at`;
-- reverse: create index "auditrecord_target_at" to table: "audit_records"
DROP INDEX `auditrecord_target_at`;
-- reverse: create index "auditrecord_at" to table: "audit_records"
DROP INDEX `auditrecord_at`;
-- reverse: create "audit_records" table
DROP TABLE `audit_records`;
-- reverse: create index "attestationevent_contract_number" to table: "attestation_events"
DROP INDEX `attestationevent_contract_number`;
-- reverse: create index "attestation_events_event_id_key" to table: "attestation_events"
DROP INDEX `attestation_events_event_id_key`;
-- reverse: create "attestation_events" table
DROP TABLE `attestation_events`;
-- reverse: create "api_clients" table
DROP TABLE `api_clients`;
