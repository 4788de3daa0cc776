-- Digests of leaf blocks, as many in a row as a page holds: SQLite reads a large column from its beginning, and one digest is looked for
-- in a blob of any size.
CREATE TABLE blob_leaves (
    id      INTEGER PRIMARY KEY,
    blob    INTEGER NOT NULL REFERENCES blobs ON DELETE CASCADE,
    first   INTEGER NOT NULL,                 -- number of the first leaf, a multiple of 120
    digests BLOB NOT NULL                     -- 32 bytes for each leaf; a blob of one leaf has no row
) STRICT;
CREATE UNIQUE INDEX blob_leaves_by_blob ON blob_leaves (blob, first);
INSERT INTO blob_leaves (blob, first, digests)
WITH RECURSIVE rows (blob, first, digests, rest) AS (
    SELECT id, 0, substr(leaves, 1, 3840), substr(leaves, 3841) FROM blobs WHERE leaves IS NOT NULL
    UNION ALL
    SELECT blob, first + 120, substr(rest, 1, 3840), substr(rest, 3841) FROM rows WHERE length(rest) > 0
)
SELECT blob, first, digests FROM rows;
ALTER TABLE blobs DROP COLUMN leaves;
