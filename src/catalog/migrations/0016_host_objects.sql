-- What was stored on static hosts, by the target that it was stored for. Not content.
CREATE TABLE host_objects (
    target         INTEGER NOT NULL REFERENCES targets ON DELETE CASCADE,
    key            TEXT NOT NULL,
    size           INTEGER NOT NULL,
    digest         BLOB,                      -- SHA-256 of what is there; NULL: the key says it
    tag            TEXT,                      -- what the host calls it by
    sent           BLOB,                      -- SHA-256 of what is being stored, which a cut may have left there
    unneeded_since INTEGER,                   -- seconds since 1970; NULL: the root that is there needs it
    PRIMARY KEY (target, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX host_objects_unneeded ON host_objects (target, unneeded_since) WHERE unneeded_since IS NOT NULL;

-- Uploads in parts that were begun, so that a cut one goes on.
CREATE TABLE host_uploads (
    target INTEGER NOT NULL REFERENCES targets ON DELETE CASCADE,
    key    TEXT NOT NULL,
    upload TEXT NOT NULL,
    PRIMARY KEY (target, key)
) STRICT, WITHOUT ROWID;
