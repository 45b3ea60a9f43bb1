-- Contents in one encoding, sealed under one content id and key. Frames name the content id; the header is signed.
CREATE TABLE encoding (
  content text PRIMARY KEY,
  digest text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('identity', 'zstd', 'zstd-patch')),
  level bigint NOT NULL,
  base text NOT NULL,
  window_log bigint NOT NULL,
  encoded_bytes bigint NOT NULL,
  encoded_digest text NOT NULL,
  needs_window_log bigint NOT NULL,
  cipher text NOT NULL,
  epoch bigint NOT NULL,
  content_key text NOT NULL,
  header text NOT NULL,
  made_ms bigint NOT NULL,
  used_ms bigint NOT NULL
);

-- The key belongs to the encoding now, and offers have another form. Who receives asks again, who sends announces again.
DELETE FROM sending WHERE state = 'sending';
UPDATE sending SET offer = '';
DELETE FROM receiving;
ALTER TABLE sending DROP COLUMN content_key;
ALTER TABLE sending ADD COLUMN priority bigint NOT NULL DEFAULT 5;
ALTER TABLE sending ADD COLUMN resent_bytes bigint NOT NULL DEFAULT 0;
ALTER TABLE sending ADD COLUMN resumed_from bigint NOT NULL DEFAULT 0;
ALTER TABLE sending ADD COLUMN strategies text NOT NULL DEFAULT '[]';
