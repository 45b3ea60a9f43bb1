-- The states `accepted` and `refused` are called `fetching` and `rejected`.
ALTER TABLE execution DROP CONSTRAINT execution_state_check;
UPDATE execution SET state = 'fetching' WHERE state = 'accepted';
ALTER TABLE execution ADD CONSTRAINT execution_state_check CHECK (state IN ('queued', 'waiting', 'assigned', 'fetching',
  'running', 'unreachable', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost', 'denied', 'expired', 'quarantined'));
ALTER TABLE attempt DROP CONSTRAINT attempt_state_check;
UPDATE attempt SET state = 'fetching' WHERE state = 'accepted';
UPDATE attempt SET state = 'rejected' WHERE state = 'refused';
UPDATE attempt SET reported = 'fetching' WHERE reported = 'accepted';
UPDATE attempt SET reported = 'rejected' WHERE reported = 'refused';
ALTER TABLE attempt ADD CONSTRAINT attempt_state_check CHECK (state IN ('assigned', 'fetching', 'running', 'unreachable',
  'succeeded', 'failed', 'timed_out', 'cancelled', 'rejected', 'lost'));
