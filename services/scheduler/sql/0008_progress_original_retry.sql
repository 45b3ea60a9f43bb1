-- How far an attempt was when its row was last written, and what its device decided about it; the attempt that silence took from an execution, whose device
-- may come back with it; and the job that another one tries again.
ALTER TABLE attempt ADD COLUMN progress json;
ALTER TABLE attempt ADD COLUMN decided json NOT NULL DEFAULT '[]';
ALTER TABLE execution DROP COLUMN progress;
ALTER TABLE execution ADD COLUMN original json;
ALTER TABLE job ADD COLUMN retry_of text NOT NULL DEFAULT '';
