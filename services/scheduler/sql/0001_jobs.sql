-- Jobs with what was asked, and how they ended. While a job is live its state follows from its executions.
CREATE TABLE IF NOT EXISTS job (
  job text PRIMARY KEY,
  request text NOT NULL,
  submitter text NOT NULL,
  name text NOT NULL,
  spec json NOT NULL,
  spec_digest text NOT NULL,
  traceparent text NOT NULL,
  state text NOT NULL CHECK (state IN ('submitted', 'queued', 'assigned', 'running', 'succeeded', 'failed', 'denied',
    'cancelled', 'expired', 'quarantined')),
  reason text NOT NULL,
  reasons json NOT NULL,
  live boolean NOT NULL,
  bulk boolean NOT NULL,
  authorised boolean NOT NULL,
  device text NOT NULL,
  targets json NOT NULL,
  counts json NOT NULL,
  submitted_ms bigint NOT NULL,
  changed_ms bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS job_live ON job (submitted_ms, job) WHERE live;
CREATE INDEX IF NOT EXISTS job_submitted ON job (submitted_ms, job);
CREATE INDEX IF NOT EXISTS job_state ON job (state, submitted_ms, job);
CREATE INDEX IF NOT EXISTS job_over ON job (changed_ms, job) WHERE NOT live;

-- One job on one device. An execution that never left the queue has no row: it is queued.
CREATE TABLE IF NOT EXISTS execution (
  job text NOT NULL,
  execution int NOT NULL,
  device text NOT NULL,
  state text NOT NULL CHECK (state IN ('queued', 'waiting', 'assigned', 'accepted', 'running', 'unreachable', 'succeeded',
    'failed', 'cancelled', 'lost', 'denied', 'expired', 'quarantined')),
  attempt int NOT NULL,
  fence bigint NOT NULL,
  version bigint NOT NULL,
  failures int NOT NULL,
  losses int NOT NULL,
  rounds int NOT NULL,
  reason text NOT NULL,
  excluded json NOT NULL,
  avoid json NOT NULL,
  retry_at_ms bigint NOT NULL,
  shown boolean NOT NULL,
  progress json NOT NULL,
  changed_ms bigint NOT NULL,
  PRIMARY KEY (job, execution)
);

-- One try of one execution. At most one live attempt per execution; a fence is used once.
CREATE TABLE IF NOT EXISTS attempt (
  job text NOT NULL,
  execution int NOT NULL,
  fence bigint NOT NULL,
  attempt int NOT NULL,
  device text NOT NULL,
  state text NOT NULL CHECK (state IN ('assigned', 'accepted', 'running', 'unreachable', 'succeeded', 'failed', 'cancelled',
    'refused', 'lost')),
  reported text NOT NULL,
  live boolean NOT NULL,
  reason text NOT NULL,
  "grant" text NOT NULL,
  result json,
  placement json NOT NULL,
  created_ms bigint NOT NULL,
  changed_ms bigint NOT NULL,
  PRIMARY KEY (job, execution, fence)
);
CREATE UNIQUE INDEX IF NOT EXISTS attempt_one_live ON attempt (job, execution) WHERE live;

-- Results that are too large for one report, in parts.
CREATE TABLE IF NOT EXISTS part (
  job text NOT NULL,
  execution int NOT NULL,
  fence bigint NOT NULL,
  of text NOT NULL,
  offset_bytes bigint NOT NULL,
  base64 text NOT NULL,
  PRIMARY KEY (job, execution, fence, of, offset_bytes)
);

-- Up to where each device's report stream is applied.
CREATE TABLE IF NOT EXISTS stream (
  device text PRIMARY KEY,
  epoch bigint NOT NULL,
  seq bigint NOT NULL,
  tag bigint NOT NULL
);

-- Devices that get no work for a while, because they refused what they got.
CREATE TABLE IF NOT EXISTS unplaceable (
  device text PRIMARY KEY,
  reason text NOT NULL,
  times int NOT NULL,
  since_ms bigint NOT NULL,
  until_ms bigint NOT NULL
);

-- Ended executions whose state topic is retained until then.
CREATE TABLE IF NOT EXISTS shown (
  job text NOT NULL,
  execution int NOT NULL,
  until_ms bigint NOT NULL,
  PRIMARY KEY (job, execution)
);

-- Packages that jobs may name, as the transfer service has said.
CREATE TABLE IF NOT EXISTS package (
  digest text PRIMARY KEY
);
