-- +goose Up
-- create "idempotency_keys" table
CREATE TABLE `idempotency_keys` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `client` text NOT NULL, `key` text NOT NULL, `request` text NOT NULL, `job_id` text NOT NULL, `at` datetime NOT NULL);
-- create index "idempotencykey_client_key" to table: "idempotency_keys"
CREATE UNIQUE INDEX `idempotencykey_client_key` ON `idempotency_keys` (`client`, `key`);
-- create index "idempotencykey_at" to table: "idempotency_keys"
CREATE INDEX `idempotencykey_at` ON `idempotency_keys` (`at`);

-- +goose Down
-- reverse: create index "idempotencykey_at" to table: "idempotency_keys"
DROP INDEX `idempotencykey_at`;
-- reverse: create index "idempotencykey_client_key" to table: "idempotency_keys"
DROP INDEX `idempotencykey_client_key`;
-- reverse: create "idempotency_keys" table
DROP TABLE `idempotency_keys`;
