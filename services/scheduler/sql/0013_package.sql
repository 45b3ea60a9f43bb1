-- What is known of a package, so that a restart knows it before the transfer service says it again.
ALTER TABLE package ADD COLUMN size_bytes bigint NOT NULL DEFAULT 0;
ALTER TABLE package ADD COLUMN name text NOT NULL DEFAULT '';
ALTER TABLE package ADD COLUMN names json NOT NULL DEFAULT '[]';
ALTER TABLE package ADD COLUMN architecture text NOT NULL DEFAULT '';
ALTER TABLE package ADD COLUMN cpu_millis bigint NOT NULL DEFAULT 0;
ALTER TABLE package ADD COLUMN memory_bytes bigint NOT NULL DEFAULT 0;
ALTER TABLE package ADD COLUMN storage_bytes bigint NOT NULL DEFAULT 0;
-- The variant that the device got; '': the job's own package.
ALTER TABLE attempt ADD COLUMN package text NOT NULL DEFAULT '';
