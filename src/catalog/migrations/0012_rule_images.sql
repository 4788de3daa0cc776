-- Why an image leaves: no rule selects it (0), or it is not there upstream any more (1). The time is for one of them.
ALTER TABLE rule_images ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;

-- Since when a former image is kept, in seconds since 1970: a clock that was ahead is seen by it.
ALTER TABLE former_images ADD COLUMN since INTEGER NOT NULL DEFAULT 0;

-- What runs are bringing, until it is told: what a cut run has brought is told by the next one.
CREATE TABLE coming_images (
    repository  TEXT NOT NULL,                -- published name
    tag         TEXT NOT NULL,                -- or digest
    rule        TEXT NOT NULL,
    from_digest BLOB,                         -- of a tag that moves
    to_digest   BLOB NOT NULL,
    began_at    INTEGER NOT NULL,             -- when the run began, in seconds since 1970
    PRIMARY KEY (repository, tag)
) STRICT, WITHOUT ROWID;
