-- A restore that goes on or was cut: the root that it is of. One row at most, none in a catalog that is whole.
CREATE TABLE restoring (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    root TEXT NOT NULL
) STRICT;

-- Blobs that were left where they are until they are needed: not in the blob store, though their rows are here. Not content.
CREATE TABLE left_blobs (
    blob  INTEGER PRIMARY KEY REFERENCES blobs ON DELETE CASCADE,
    place TEXT NOT NULL                       -- who has it: a gateway, a node, a CAR file, as `--from` says it
) STRICT;
