-- Templates of jobs, in versions.
CREATE TABLE template (
  name text NOT NULL,
  version int NOT NULL,
  document json NOT NULL,
  pushed_by text NOT NULL,
  pushed_ms bigint NOT NULL,
  PRIMARY KEY (name, version)
);
-- The template and version that a job was made of; empty: none.
ALTER TABLE job ADD COLUMN template text NOT NULL DEFAULT '';
ALTER TABLE job ALTER COLUMN template DROP DEFAULT;
