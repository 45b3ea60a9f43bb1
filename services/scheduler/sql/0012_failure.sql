-- On which devices a command has failed in its newest tries there: {"device": share}.
CREATE TABLE failure (
  work text PRIMARY KEY,
  failing json NOT NULL
);
