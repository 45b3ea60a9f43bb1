-- A run that reached its limit of time.
ALTER TABLE execution DROP CONSTRAINT execution_state_check;
ALTER TABLE execution ADD CONSTRAINT execution_state_check CHECK (state IN ('queued', 'waiting', 'assigned', 'accepted',
  'running', 'unreachable', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost', 'denied', 'expired', 'quarantined'));
ALTER TABLE attempt DROP CONSTRAINT attempt_state_check;
ALTER TABLE attempt ADD CONSTRAINT attempt_state_check CHECK (state IN ('assigned', 'accepted', 'running', 'unreachable',
  'succeeded', 'failed', 'timed_out', 'cancelled', 'refused', 'lost'));
