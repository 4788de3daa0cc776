-- Not content: what runs told others. A number is never given again, so that whoever is told twice sees it.
CREATE TABLE events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,             -- seconds since 1970
    run         INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    rule        TEXT,
    image       TEXT,
    from_digest BLOB,
    to_digest   BLOB,
    detail      TEXT
) STRICT;

CREATE INDEX events_run ON events (run);

-- Who is to be told of an event.
CREATE TABLE outbox (
    event           INTEGER NOT NULL REFERENCES events ON DELETE CASCADE,
    hook            TEXT NOT NULL,            -- its identity: what it does, as a digest
    delivered_at    INTEGER,                  -- NULL: not yet
    attempts        INTEGER NOT NULL DEFAULT 0,
    last_attempt_at INTEGER,
    last_error      TEXT,
    next_attempt_at INTEGER NOT NULL,
    PRIMARY KEY (event, hook)
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_waiting ON outbox (hook, event) WHERE delivered_at IS NULL;
