-- Every device that ever enrolled, as it was when its record last changed (resources: at most every 60 s).
CREATE TABLE device (
  device text PRIMARY KEY,
  state text NOT NULL,
  reason text NOT NULL,
  health double precision NOT NULL,
  capacity json NOT NULL,
  labels json NOT NULL,
  resources json NOT NULL,
  link json NOT NULL,
  session bigint NOT NULL,
  enrolled_session bigint NOT NULL,
  fingerprint text NOT NULL,
  changed_ms bigint NOT NULL
);
