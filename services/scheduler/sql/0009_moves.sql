-- Of an attempt that was told to end because its device no longer meets what the job requires: what that is.
ALTER TABLE attempt ADD COLUMN moves text NOT NULL DEFAULT '';
ALTER TABLE attempt ALTER COLUMN moves DROP DEFAULT;
