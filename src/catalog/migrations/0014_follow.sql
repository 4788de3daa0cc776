-- The published registry that this catalog is a copy of: one row at most. Not content.
CREATE TABLE follow (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    name       TEXT NOT NULL,                 -- as it was given: an IPNS name or a domain
    sources    TEXT NOT NULL,                 -- URLs that blocks and records come from, with a space between them
    mode       TEXT NOT NULL,                 -- which blobs are fetched before they are asked for: lazy, tags or all
    every      INTEGER NOT NULL,              -- seconds between two looks at the name
    key        BLOB,                          -- multihash of the key whose record was seen last; none without a signature
    record     BLOB,                          -- the newest verified record of that key
    root       BLOB,                          -- CID of the root that is held; none until the first one is whole
    former     BLOB,                          -- CID of the root before that, for pulls that had begun with it
    taken_at   INTEGER,                       -- when that came, in seconds since 1970
    checked_at INTEGER,                       -- when the name was looked at last, likewise
    failure    TEXT                           -- why the last look changed nothing although it should have, in words
) STRICT;
