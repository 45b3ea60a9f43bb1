-- Transfers towards here are published and remembered as those away from here, also those that have ended.
ALTER TABLE receiving ADD COLUMN state text NOT NULL DEFAULT 'sending'
  CHECK (state IN ('sending', 'complete', 'failed', 'cancelled'));
ALTER TABLE receiving ADD COLUMN reason text NOT NULL DEFAULT '';
ALTER TABLE receiving ADD COLUMN failure text NOT NULL DEFAULT '';
ALTER TABLE receiving ADD COLUMN received_bytes bigint NOT NULL DEFAULT 0;
ALTER TABLE receiving ADD COLUMN came_bytes bigint NOT NULL DEFAULT 0;
ALTER TABLE receiving ADD COLUMN again_bytes bigint NOT NULL DEFAULT 0;
ALTER TABLE receiving ADD COLUMN came_frames bigint NOT NULL DEFAULT 0;
ALTER TABLE receiving ADD COLUMN again_frames bigint NOT NULL DEFAULT 0;
ALTER TABLE receiving ADD COLUMN bad_frames bigint NOT NULL DEFAULT 0;
ALTER TABLE receiving ADD COLUMN resumed_from bigint NOT NULL DEFAULT 0;
ALTER TABLE receiving ADD COLUMN strategies text NOT NULL DEFAULT '[]';
ALTER TABLE receiving ADD COLUMN said boolean NOT NULL DEFAULT false;
ALTER TABLE receiving ADD COLUMN started_ms bigint NOT NULL DEFAULT 0;
ALTER TABLE receiving ADD COLUMN changed_ms bigint NOT NULL DEFAULT 0;
-- How often frames were sent, and why a transfer failed.
ALTER TABLE sending ADD COLUMN frames_sent bigint NOT NULL DEFAULT 0;
ALTER TABLE sending ADD COLUMN frames_resent bigint NOT NULL DEFAULT 0;
ALTER TABLE sending ADD COLUMN tries_most bigint NOT NULL DEFAULT 0;
ALTER TABLE sending ADD COLUMN bad_frames bigint NOT NULL DEFAULT 0;
ALTER TABLE sending ADD COLUMN failure text NOT NULL DEFAULT '';
