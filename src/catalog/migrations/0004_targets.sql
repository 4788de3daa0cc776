-- Places that hold the registry and names that point to it. Not content.
CREATE TABLE targets (
    id       INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    settings TEXT NOT NULL,                   -- JSON; secrets only as the file or variable they are in
    added_at INTEGER NOT NULL
) STRICT;

-- Every root that was published, or begun to be. One that was cut is continued from its last step.
CREATE TABLE publications (
    id          INTEGER PRIMARY KEY,
    target      INTEGER REFERENCES targets ON DELETE SET NULL,
    target_name TEXT NOT NULL,                -- it stays when the target goes
    root        BLOB NOT NULL,
    tsize       INTEGER NOT NULL,
    former      BLOB,                         -- the root that the target had before
    verb        TEXT NOT NULL,                -- publish, rollback
    begun_at    INTEGER NOT NULL,
    ended_at    INTEGER,                      -- NULL: it goes on, or was cut
    state       TEXT NOT NULL CHECK (state IN ('running', 'published', 'failed', 'superseded')),
    failure     TEXT,
    blocks      INTEGER NOT NULL DEFAULT 0,   -- handed over
    bytes       INTEGER NOT NULL DEFAULT 0,
    summary     TEXT NOT NULL,                -- what changed, in words
    pinned      INTEGER NOT NULL DEFAULT 0,   -- the target still pins it
    kept        INTEGER NOT NULL DEFAULT 1    -- this catalog keeps what it needs
) STRICT;
CREATE INDEX publications_by_target ON publications (target, id);
CREATE INDEX publications_by_root ON publications (root);

-- The steps that a publication has behind it, so that one that was cut does not repeat them.
CREATE TABLE publication_steps (
    publication INTEGER NOT NULL REFERENCES publications ON DELETE CASCADE,
    step        TEXT NOT NULL,                -- handed_over, chain:2, pinned, checked, dnslink, ipns, tidied …
    at          INTEGER NOT NULL,
    detail      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (publication, step)
) STRICT, WITHOUT ROWID;

-- Private repositories that were part of a publication once: it can't be taken back, which is said the first time only.
CREATE TABLE published_private (
    repository TEXT NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
