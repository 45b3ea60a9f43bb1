-- How long attempts of a command, or of a program, took that succeeded: the newest, in milliseconds.
CREATE TABLE duration (
  key text PRIMARY KEY,
  ms json NOT NULL
);
