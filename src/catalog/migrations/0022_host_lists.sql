-- When all that a static host lists was last compared with `host_objects`, in seconds since 1970. NULL: the next publication lists.
ALTER TABLE targets ADD COLUMN listed_at INTEGER;
-- Whether the host keeps to conditions. NULL: not tried.
ALTER TABLE targets ADD COLUMN conditional INTEGER;
