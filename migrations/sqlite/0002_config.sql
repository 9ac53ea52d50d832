-- Numbered whole configurations. The highest number is the active one.
CREATE TABLE config_version (
    config_id INTEGER NOT NULL PRIMARY KEY,
    -- An unsigned 64-bit hash, its bits read as signed.
    set_hash  INTEGER NOT NULL,
    author    TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    at_ms     INTEGER NOT NULL
) STRICT;

-- The resources of each configuration by hash. Their content holds keys and stays out of the database.
CREATE TABLE config_entry (
    config_id INTEGER NOT NULL REFERENCES config_version (config_id),
    kind      INTEGER NOT NULL,
    key       TEXT    NOT NULL,
    hash      INTEGER NOT NULL,
    PRIMARY KEY (config_id, kind, key)
) STRICT, WITHOUT ROWID;
