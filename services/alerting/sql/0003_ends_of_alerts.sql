-- Why an alert is resolved, and what sort of thing it is about (empty: of an alert before this version).
ALTER TABLE alert
  ADD COLUMN ended text NOT NULL DEFAULT '',
  ADD COLUMN about text NOT NULL DEFAULT '';

-- The rules file as it was when it was good last: a bad one keeps nobody from being told after a restart.
CREATE TABLE rules_file (
  rules_file text PRIMARY KEY,
  text text NOT NULL
);
