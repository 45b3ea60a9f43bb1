-- Where the audit was found not to go on from what had been said of its end; `sequence` is of the audit's row that says so.
CREATE TABLE audit_break (
  sequence bigint PRIMARY KEY,
  at_ms bigint NOT NULL,
  reason text NOT NULL
);
