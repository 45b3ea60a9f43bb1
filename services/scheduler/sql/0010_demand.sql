-- What attempts of a command, or of a template, used that succeeded: the newest, in the mean thousandths of a core from the assignment to the end, and
-- the peak of memory. And what was estimated of a job's requirements by that.
ALTER TABLE duration ADD COLUMN cpu_millis json NOT NULL DEFAULT '[]';
ALTER TABLE duration ADD COLUMN memory_bytes json NOT NULL DEFAULT '[]';
ALTER TABLE job ADD COLUMN estimated json;
