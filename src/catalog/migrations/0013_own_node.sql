-- The program as an IPFS node of its own. Not content: the root depends on images alone.

-- Roots that it gives out, each with everything below it.
CREATE TABLE own_pins (
    root      BLOB PRIMARY KEY,               -- CID
    name      TEXT NOT NULL,                  -- what the pin is called, as at other nodes
    pinned_at INTEGER NOT NULL                -- seconds since 1970
) STRICT, WITHOUT ROWID;

-- IPNS names that are moved with keys of this catalog, each with the newest record that is known of it.
CREATE TABLE own_names (
    name      BLOB PRIMARY KEY,               -- multihash of the public key
    record    BLOB NOT NULL,                  -- specs.ipfs.tech/ipns/ipns-record
    signed_at INTEGER NOT NULL                -- seconds since 1970
) STRICT, WITHOUT ROWID;
