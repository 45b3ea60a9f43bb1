-- An execution whose newest attempt says all of it has no row of its own: what it needs of it stands with the attempt.
ALTER TABLE attempt ADD COLUMN version bigint NOT NULL DEFAULT 0, ADD COLUMN shown boolean NOT NULL DEFAULT false;
ALTER TABLE attempt ALTER COLUMN version DROP DEFAULT, ALTER COLUMN shown DROP DEFAULT;
