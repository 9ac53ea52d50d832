-- Numbered whole configurations. The highest number is the active one.
CREATE TABLE config_version (
    config_id BIGINT NOT NULL PRIMARY KEY,
    -- An unsigned 64-bit hash, its bits read as signed.
    set_hash  BIGINT NOT NULL,
    author    TEXT   NOT NULL,
    reason    TEXT   NOT NULL,
    at_ms     BIGINT NOT NULL
);

-- The resources of each configuration by hash. Their content holds keys and stays out of the database.
CREATE TABLE config_entry (
    config_id BIGINT NOT NULL REFERENCES config_version (config_id),
    kind      BIGINT NOT NULL,
    key       TEXT   NOT NULL COLLATE "C",
    hash      BIGINT NOT NULL,
    PRIMARY KEY (config_id, kind, key)
);
