-- Rules, and what they have brought. Not content: the root depends on images alone.

-- One row once there are rules.
CREATE TABLE rule_set (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    text    TEXT NOT NULL,                    -- as they were read last
    file    TEXT,                             -- the file that is read at every run; NULL: the text is the truth
    trusted BLOB                              -- SHA-256 of the programs that were shown and allowed
) STRICT;

-- What came of a rule's last run.
CREATE TABLE rule_runs (
    rule    TEXT PRIMARY KEY,
    ran_at  INTEGER NOT NULL,                 -- seconds since 1970
    outcome TEXT NOT NULL                     -- JSON
) STRICT, WITHOUT ROWID;

-- The tags that rules select, each with the first rule that does.
CREATE TABLE rule_images (
    repository TEXT NOT NULL,                 -- published name
    tag        TEXT NOT NULL,
    rule       TEXT NOT NULL,
    brought    INTEGER NOT NULL,              -- 0: it was here before, and no rule removes it
    leaving_at INTEGER,                       -- since when no rule selects it, in seconds since 1970
    PRIMARY KEY (repository, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX rule_images_by_rule ON rule_images (rule);

-- The tags that a repository had when it was listed first for a rule that waits: none of them is young.
CREATE TABLE first_lists (
    upstream TEXT PRIMARY KEY,
    listed_at INTEGER NOT NULL,
    tags     BLOB NOT NULL                    -- a line each, deflated
) STRICT, WITHOUT ROWID;

-- When a tag that came later, or another digest of a tag, was seen first.
CREATE TABLE sightings (
    upstream TEXT NOT NULL,
    tag      TEXT NOT NULL,
    digest   BLOB NOT NULL,                   -- empty: the tag in a list
    seen_at  INTEGER NOT NULL,
    PRIMARY KEY (upstream, tag, digest)
) STRICT, WITHOUT ROWID;

-- What tags pointed to before they moved, for as long as rules keep it.
CREATE TABLE former_images (
    repository TEXT NOT NULL,                 -- published name
    image      TEXT NOT NULL,                 -- tag or digest that it has here
    until      INTEGER NOT NULL,              -- seconds since 1970
    PRIMARY KEY (repository, image)
) STRICT, WITHOUT ROWID;

-- Figures of all runs together, and of the last one.
CREATE TABLE rule_figures (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
