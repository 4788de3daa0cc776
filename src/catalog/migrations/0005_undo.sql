-- Which plan an operation was part of (one that adds many images is several operations), and whether it was undone.
ALTER TABLE operations ADD COLUMN plan INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN undone INTEGER NOT NULL DEFAULT 0;

-- What an operation did to images, in order, so that it can be undone. Only of the last operations.
CREATE TABLE operation_images (
    operation INTEGER NOT NULL REFERENCES operations ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    what      TEXT NOT NULL,                  -- JSON: an image that came, or everything about one that went
    PRIMARY KEY (operation, position)
) STRICT, WITHOUT ROWID;
