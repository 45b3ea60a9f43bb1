-- Every decision, in a chain: hash = sha256(previous || canonical text of the row), see core/audit.hpp.
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

CREATE FUNCTION audit_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit table is only added to';
END
$$;
CREATE TRIGGER audit_unchanged BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION audit_is_only_added_to();

-- The certificate that each device showed last, and what was said of it: checked again when the revocation list changes.
CREATE TABLE certificate (
  device text PRIMARY KEY,
  fingerprint text NOT NULL,
  certificate text NOT NULL,
  state text NOT NULL,
  reason text NOT NULL,
  changed_ms bigint NOT NULL
);
