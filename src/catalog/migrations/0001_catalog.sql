-- What a catalog holds. Two kinds of tables: content, of which the root is a pure function, and what is derived from it
-- (marked so), kept because deriving it again would read more than changed.

-- Content: profile, site_version, default_platform, name.
CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: what the catalog stands for now.
CREATE TABLE state (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    root       BLOB,                          -- CID of the root directory, derived; NULL before the first image
    tsize      INTEGER NOT NULL DEFAULT 0,
    generation INTEGER NOT NULL DEFAULT 0     -- grows with every change
) STRICT;
INSERT INTO state (id) VALUES (1);

-- Content: a repository under its published name.
CREATE TABLE repositories (
    id       INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    registry TEXT,                            -- with `upstream`; both NULL for images that came from a file
    upstream TEXT,
    alias    TEXT UNIQUE,
    insecure INTEGER NOT NULL DEFAULT 0,      -- upstream speaks plain HTTP
    private  INTEGER NOT NULL DEFAULT 0,      -- its anonymous HEAD was refused
    allowed  INTEGER NOT NULL DEFAULT 0,      -- it may be published all the same
    tags     INTEGER NOT NULL DEFAULT 0,      -- derived: how many the list of repositories shows
    platforms TEXT NOT NULL DEFAULT '',       -- derived: what it shows of them, a line each
    CHECK ((registry IS NULL) = (upstream IS NULL))
) STRICT;

-- Every file there is: manifests and generated files with their bytes, configurations and layers in the blob store.
CREATE TABLE blobs (
    id     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    size   INTEGER NOT NULL CHECK (size >= 0),
    cid    BLOB NOT NULL,                     -- of the file as UnixFS
    tsize  INTEGER NOT NULL,
    leaves BLOB,                              -- 32 bytes for each leaf block; NULL when there is one leaf
    bytes  BLOB                               -- NULL: in the blob store
) STRICT;
CREATE INDEX blobs_by_cid ON blobs (cid);

-- What is known of a blob that is a manifest.
CREATE TABLE manifests (
    blob          INTEGER PRIMARY KEY REFERENCES blobs ON DELETE CASCADE,
    media_type    TEXT NOT NULL,
    artifact_type TEXT,
    subject       BLOB
) STRICT;
CREATE INDEX manifests_by_subject ON manifests (subject) WHERE subject IS NOT NULL;

-- Content: a tag, or a manifest pinned by its digest.
CREATE TABLE images (
    id              INTEGER PRIMARY KEY,
    repository      INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
    tag             TEXT,
    manifest        INTEGER NOT NULL REFERENCES blobs,
    selection       TEXT NOT NULL,            -- platforms that are mirrored of an index
    all_manifests   INTEGER NOT NULL,
    attached_to     BLOB,                     -- digest of the manifest it came along with (signature, SBOM …); goes when that goes
    platforms       TEXT NOT NULL,            -- derived: what is here, comma-separated
    logical         INTEGER NOT NULL,         -- derived: bytes of everything it consists of
    page_rows       INTEGER NOT NULL DEFAULT 0, -- derived: how many rows its page has for it
    added_at        INTEGER NOT NULL,         -- not content: seconds since 1970
    upstream_digest BLOB,                     -- not content: what upstream said last
    checked_at      INTEGER                   -- not content
) STRICT;
CREATE UNIQUE INDEX images_by_tag ON images (repository, tag) WHERE tag IS NOT NULL;
CREATE UNIQUE INDEX images_by_digest ON images (repository, manifest) WHERE tag IS NULL;
CREATE INDEX images_by_subject ON images (repository, attached_to) WHERE attached_to IS NOT NULL;
CREATE INDEX images_by_manifest ON images (manifest);

-- Derived from the manifests: everything an image consists of.
CREATE TABLE image_contents (
    image      INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    blob       INTEGER NOT NULL REFERENCES blobs,
    role       INTEGER NOT NULL,              -- 0 manifest, 1 configuration, 2 layer, 3 another blob, 4 needed by the gateway view
    repository INTEGER NOT NULL,
    PRIMARY KEY (image, blob, role)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_contents_by_blob ON image_contents (blob, repository, role);

-- Derived: the list of what refers to a manifest, under its fallback tag.
CREATE TABLE referrer_lists (
    repository INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
    subject    BLOB NOT NULL,
    blob       INTEGER NOT NULL REFERENCES blobs,
    PRIMARY KEY (repository, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX referrer_lists_by_blob ON referrer_lists (blob, repository);

-- What upstream has and this catalog deliberately has not: children of a sparse index, foreign layers.
CREATE TABLE image_omissions (
    image    INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    digest   BLOB NOT NULL,
    platform TEXT,
    reason   TEXT NOT NULL,
    PRIMARY KEY (image, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_omissions_by_digest ON image_omissions (digest);

-- Derived: what an image is in the gateway view. Several images may want one name; the lowest rank, then the lowest tag wins.
CREATE TABLE gateway_manifests (
    id         INTEGER PRIMARY KEY,
    image      INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    repository INTEGER NOT NULL,
    platform   TEXT NOT NULL,                 -- empty: it is no image
    manifest   INTEGER NOT NULL REFERENCES blobs,
    size       INTEGER NOT NULL,              -- bytes of its configuration and layers
    name       TEXT,                          -- tag in the gateway view; NULL: only by digest
    rank       INTEGER NOT NULL,              -- 0: the image's own tag, 1: a platform's
    blob       INTEGER REFERENCES blobs,      -- NULL: it can't be said there
    payload    BLOB,                          -- the digest it has for clients
    reason     TEXT                           -- why it can't be said
) STRICT;
CREATE INDEX gateway_by_image ON gateway_manifests (image);
CREATE INDEX gateway_by_name ON gateway_manifests (repository, name, rank) WHERE name IS NOT NULL;
CREATE INDEX gateway_by_payload ON gateway_manifests (repository, payload) WHERE payload IS NOT NULL;
CREATE INDEX gateway_by_platform ON gateway_manifests (repository, platform);
CREATE INDEX gateway_by_blob ON gateway_manifests (blob) WHERE blob IS NOT NULL;

-- Derived: directory nodes of the tree, by CID.
CREATE TABLE nodes (
    cid            BLOB NOT NULL UNIQUE,
    bytes          BLOB NOT NULL,
    tsize          INTEGER NOT NULL,
    directory_size INTEGER                    -- of a sharded directory's top node: what it would be in one block
) STRICT;

-- Derived: the directories of each repository, whether they hang in the tree or not.
CREATE TABLE directories (
    repository INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
    place      TEXT NOT NULL,                 -- `blobs`, `v2/manifests`, `oci/tags`, `pages` …
    cid        BLOB NOT NULL,
    tsize      INTEGER NOT NULL,
    PRIMARY KEY (repository, place)
) STRICT, WITHOUT ROWID;

-- Derived: the pages of a list that does not fit one. Scope 0 is the list of repositories, else a repository's images.
CREATE TABLE pages (
    scope INTEGER NOT NULL,
    first TEXT NOT NULL,                      -- the first name on it
    last  TEXT NOT NULL,
    key   TEXT NOT NULL,                      -- what its file is called by
    PRIMARY KEY (scope, first)
) STRICT, WITHOUT ROWID;

-- What was done, newest last.
CREATE TABLE operations (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    verb        TEXT NOT NULL,
    summary     TEXT NOT NULL,
    root_before BLOB,
    root_after  BLOB
) STRICT;
