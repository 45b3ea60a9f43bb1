-- Of an attempt that was told to end: the job that gets its room.
ALTER TABLE attempt ADD COLUMN preempted_by text NOT NULL DEFAULT '';
ALTER TABLE attempt ALTER COLUMN preempted_by DROP DEFAULT;
