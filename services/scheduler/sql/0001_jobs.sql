-- Jobs with what was asked, and where they stand when nobody works on them: while a job is live its state follows from its attempts.
CREATE TABLE job (
  job text PRIMARY KEY,
  request text NOT NULL,
  submitter text NOT NULL,
  name text NOT NULL,
  spec json NOT NULL,
  spec_digest text NOT NULL,
  traceparent text NOT NULL,
  state text NOT NULL,
  reason text NOT NULL,
  live boolean NOT NULL,
  bulk boolean NOT NULL,
  targets json NOT NULL,
  submitted_ms bigint NOT NULL,
  changed_ms bigint NOT NULL
);
CREATE INDEX job_live ON job (job) WHERE live;
CREATE INDEX job_submitted ON job (submitted_ms);

-- One try of one execution. At most one live attempt per execution; a fence is used once.
CREATE TABLE attempt (
  job text NOT NULL,
  execution int NOT NULL,
  fence bigint NOT NULL,
  attempt int NOT NULL,
  device text NOT NULL,
  state text NOT NULL,
  live boolean NOT NULL,
  reason text NOT NULL,
  "grant" text NOT NULL,
  result json,
  placement json NOT NULL,
  created_ms bigint NOT NULL,
  changed_ms bigint NOT NULL,
  PRIMARY KEY (job, execution, fence)
);
CREATE UNIQUE INDEX attempt_one_live ON attempt (job, execution) WHERE live;

-- Up to where each device's report stream is applied.
CREATE TABLE stream (
  device text PRIMARY KEY,
  epoch bigint NOT NULL,
  seq bigint NOT NULL
);

-- Packages that jobs may name, as the transfer service has said.
CREATE TABLE package (
  digest text PRIMARY KEY
);
