-- Not content: since when upstream no longer has an image's tag, in seconds since 1970. NULL: it had it when it was asked last, or was
-- not asked yet.
ALTER TABLE images ADD COLUMN gone_at INTEGER;

-- So far this was said by an answer without a digest.
UPDATE images SET gone_at = checked_at WHERE checked_at IS NOT NULL AND upstream_digest IS NULL;
