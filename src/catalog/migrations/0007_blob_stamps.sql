-- What the file system said of a blob's file when it was verified: as long as it says the same, the file need not be read
-- again before it is given out. Not content; a blob without a row is verified first.
CREATE TABLE blob_stamps (
    blob     INTEGER PRIMARY KEY REFERENCES blobs ON DELETE CASCADE,
    size     INTEGER NOT NULL,
    modified INTEGER NOT NULL,                -- nanoseconds since 1970
    changed  INTEGER NOT NULL,                -- of the inode
    inode    INTEGER NOT NULL
) STRICT;
