-- When a block was provided in the DHT, by its multihash: after a restart only the others are provided anew.
CREATE TABLE provided (
    multihash BLOB PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
