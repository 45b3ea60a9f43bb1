-- An execution whose newest attempt says all of it has no row of its own, and the order of an attempt none in the outbox:
-- what they need stands with the attempt. Attempts of before have no contract; theirs is the settings'.
ALTER TABLE attempt ADD COLUMN version bigint NOT NULL DEFAULT 0, ADD COLUMN shown boolean NOT NULL DEFAULT false,
  ADD COLUMN contract json;
ALTER TABLE attempt ALTER COLUMN version DROP DEFAULT, ALTER COLUMN shown DROP DEFAULT;
