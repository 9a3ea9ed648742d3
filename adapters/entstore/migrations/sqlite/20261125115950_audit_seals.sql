-- +goose Up
-- create "audit_archives" table
CREATE TABLE `audit_archives` (`first_seal` integer NOT NULL, `last_seal` integer NOT NULL, `records` integer NOT NULL, `key` text NOT NULL, `sha256` text NOT NULL, `bytes` integer NOT NULL, `at` datetime NOT NULL, PRIMARY KEY (`first_seal`));
-- create "audit_seals" table
CREATE TABLE `audit_seals` (`number` integer NOT NULL, `at` datetime NOT NULL, `records` text NOT NULL, `digest` text NOT NULL, `previous` text NOT NULL, `hash` text NOT NULL, `key` text NOT NULL, `signature` blob NOT NULL, `leaves` blob NOT NULL, PRIMARY KEY (`number`));
-- create "audit_unsealed" table
CREATE TABLE `audit_unsealed` (`record` integer NOT NULL, PRIMARY KEY (`record`));
-- by hand: whatever adds a record makes it wait to be sealed, a process of the version before too
-- +goose StatementBegin
CREATE TRIGGER `audit_record_waits` AFTER INSERT ON `audit_records` BEGIN
	INSERT INTO `audit_unsealed` (`record`) VALUES (NEW.`id`);
END;
-- +goose StatementEnd
-- by hand: so do those that are there
INSERT INTO `audit_unsealed` (`record`) SELECT `id` FROM `audit_records`;

-- +goose Down
-- reverse: by hand
DROP TRIGGER `audit_record_waits`;
-- reverse: create "audit_unsealed" table
DROP TABLE `audit_unsealed`;
-- reverse: create "audit_seals" table
DROP TABLE `audit_seals`;
-- reverse: create "audit_archives" table
DROP TABLE `audit_archives`;
