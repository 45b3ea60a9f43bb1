-- Every decision, in a chain: hash = sha256(previous || canonical text of the row), see core/audit.hpp. The oldest rows
-- go after a time; what is left is a chain that begins with what its first row calls previous.
CREATE TABLE audit (
  sequence bigint PRIMARY KEY,
  at_ms bigint NOT NULL,
  kind text NOT NULL,
  submitter text NOT NULL,
  job text NOT NULL,
  execution int NOT NULL,
  fence bigint NOT NULL,
  device text NOT NULL,
  decision text NOT NULL,
  reason text NOT NULL,
  trace text NOT NULL,
  package text NOT NULL,
  grant_digest text NOT NULL,
  previous text NOT NULL,
  hash text NOT NULL
);

CREATE INDEX audit_at ON audit (at_ms, sequence);

CREATE FUNCTION audit_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit table is only added to; rows go when they are older than 30 days';
END
$$;
CREATE TRIGGER audit_unchanged BEFORE UPDATE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION audit_is_only_added_to();
CREATE TRIGGER audit_kept BEFORE DELETE ON audit FOR EACH ROW
  WHEN (OLD.at_ms > (extract(epoch FROM clock_timestamp()) - 30 * 86400) * 1000)
  EXECUTE FUNCTION audit_is_only_added_to();

-- The certificate that each device showed last, and what was said of it: checked again when the revocation list changes.
CREATE TABLE certificate (
  device text PRIMARY KEY,
  fingerprint text NOT NULL,
  certificate text NOT NULL,
  state text NOT NULL,
  reason text NOT NULL,
  changed_ms bigint NOT NULL
);
