-- What someone should know, firing or resolved; resolved ones go after a while.
CREATE TABLE alert (
  alert text PRIMARY KEY,
  rule text NOT NULL,
  subject text NOT NULL,
  state text NOT NULL,
  value double precision NOT NULL,
  reason text NOT NULL,
  since_ms bigint NOT NULL,
  changed_ms bigint NOT NULL
);

-- What the webhook has not yet taken, in order.
CREATE TABLE notification (
  notification bigint PRIMARY KEY,
  alert text NOT NULL,
  rule text NOT NULL,
  subject text NOT NULL,
  state text NOT NULL,
  value double precision NOT NULL,
  reason text NOT NULL,
  since_ms bigint NOT NULL,
  changed_ms bigint NOT NULL
);
