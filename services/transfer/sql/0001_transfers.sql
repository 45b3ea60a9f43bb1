-- Stored and verified content: packages, which have names, and outputs of devices. The bytes are files in the service's
-- directory.
CREATE TABLE content (
  digest text PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('package', 'output')),
  size_bytes bigint NOT NULL,
  encoding text NOT NULL,
  encoded_bytes bigint NOT NULL,
  party text NOT NULL,
  brought_by text NOT NULL,
  transfer text NOT NULL,
  stored_ms bigint NOT NULL
);

-- NAME@VERSION means one content, for ever; a content may have several. `release` is the signature under this name.
CREATE TABLE name (
  name text NOT NULL,
  version text NOT NULL,
  digest text NOT NULL,
  release text NOT NULL,
  released_by text NOT NULL,
  named_ms bigint NOT NULL,
  PRIMARY KEY (name, version)
);

-- Transfers away from here. `offer` and `received` are the messages; content_key is empty once the transfer has ended.
CREATE TABLE sending (
  transfer text PRIMARY KEY,
  party text NOT NULL CHECK (party IN ('device', 'client')),
  receiver text NOT NULL,
  reply text NOT NULL,
  digest text NOT NULL,
  fingerprint text NOT NULL,
  state text NOT NULL CHECK (state IN ('sending', 'complete', 'failed')),
  reason text NOT NULL,
  attempt bigint NOT NULL,
  offer text NOT NULL,
  content_key text NOT NULL,
  received text NOT NULL,
  acked_bytes bigint NOT NULL,
  sent_bytes bigint NOT NULL,
  said boolean NOT NULL,
  started_ms bigint NOT NULL,
  heard_ms bigint NOT NULL,
  changed_ms bigint NOT NULL
);

-- Transfers towards here, until their content is stored. `offer` is empty until the sender has started.
CREATE TABLE receiving (
  transfer text PRIMARY KEY,
  party text NOT NULL CHECK (party IN ('device', 'client')),
  sender text NOT NULL,
  reply text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('package', 'output')),
  digest text NOT NULL,
  size_bytes bigint NOT NULL,
  name text NOT NULL,
  version text NOT NULL,
  release text NOT NULL,
  released_by text NOT NULL,
  offer text NOT NULL,
  heard_ms bigint NOT NULL
);
