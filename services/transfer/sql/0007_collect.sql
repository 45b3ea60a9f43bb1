-- Packages that nothing needs are removed. When one was wanted last is not known before now. The name of a removed
-- package is not given to another content: its row stays.
ALTER TABLE content ADD COLUMN used_ms bigint NOT NULL DEFAULT 0;
UPDATE content SET used_ms = (extract(epoch FROM now()) * 1000)::bigint WHERE kind = 'package';
ALTER TABLE name ADD COLUMN removed_ms bigint NOT NULL DEFAULT 0;
