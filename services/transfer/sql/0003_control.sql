-- An operator may pause a transfer, and end it.
ALTER TABLE sending ADD COLUMN paused_by text NOT NULL DEFAULT '';
ALTER TABLE sending DROP CONSTRAINT sending_state_check;
ALTER TABLE sending ADD CONSTRAINT sending_state_check CHECK (state IN ('sending', 'complete', 'failed', 'cancelled'));
