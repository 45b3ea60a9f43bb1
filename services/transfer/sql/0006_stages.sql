-- Packages that are to lie on devices before a job needs them; `file` is where its only file goes there, or empty.
CREATE TABLE stage (
  stage text PRIMARY KEY,
  device text NOT NULL,
  digest text NOT NULL,
  file text NOT NULL,
  until_ms bigint NOT NULL,
  priority bigint NOT NULL,
  receivers bigint NOT NULL,
  asked_by text NOT NULL,
  state text NOT NULL CHECK (state IN ('asked', 'taken', 'ready', 'refused', 'ended')),
  reason text NOT NULL,
  transfer text NOT NULL,
  session bigint NOT NULL,
  asked_ms bigint NOT NULL,
  changed_ms bigint NOT NULL
);
