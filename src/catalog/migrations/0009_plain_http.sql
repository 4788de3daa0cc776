-- Whether `insecure` was chosen here. Where it is only what a published tree said, its record repeats it, and nothing is asked so.
ALTER TABLE repositories ADD COLUMN insecure_chosen INTEGER NOT NULL DEFAULT 1;

-- Older versions believed trees, and which choice came from one can't be told any more.
UPDATE repositories SET insecure_chosen = 0
WHERE insecure = 1 AND EXISTS (SELECT 1 FROM operations WHERE verb IN ('restore', 'import'));
