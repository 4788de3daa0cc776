-- Derived: what the list of repositories shows of each beside its tags and platforms.
ALTER TABLE repositories ADD COLUMN newest TEXT;                     -- its newest tag
ALTER TABLE repositories ADD COLUMN size INTEGER NOT NULL DEFAULT 0; -- bytes of its blobs, each counted once
ALTER TABLE repositories ADD COLUMN description TEXT;                -- what its newest image says of itself
