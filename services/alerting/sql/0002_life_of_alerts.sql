-- Severity, labels, acknowledgement, and who knows that an alert fires. What waited for the webhook follows from that.
DROP TABLE notification;
ALTER TABLE alert
  ADD COLUMN severity text NOT NULL DEFAULT 'warning',
  ADD COLUMN next text NOT NULL DEFAULT '',
  ADD COLUMN labels json NOT NULL DEFAULT '{}',
  ADD COLUMN first_ms bigint NOT NULL DEFAULT 0,
  ADD COLUMN count bigint NOT NULL DEFAULT 0,
  ADD COLUMN acked json NOT NULL DEFAULT '{}',
  ADD COLUMN told json NOT NULL DEFAULT '{}';
UPDATE alert SET first_ms = since_ms, count = 1;

-- While it lasts, nobody is told of alerts that it matches.
CREATE TABLE silence (
  silence text PRIMARY KEY,
  matcher text NOT NULL,
  by text NOT NULL,
  comment text NOT NULL,
  since_ms bigint NOT NULL,
  until_ms bigint NOT NULL
);

-- Alerts of which a target will not hear.
CREATE TABLE dead_letter (
  id text PRIMARY KEY,
  target text NOT NULL,
  alert json NOT NULL,
  reason text NOT NULL,
  at_ms bigint NOT NULL
);
