-- Data-plane nodes as they last presented themselves.
CREATE TABLE node (
    node_id      TEXT    NOT NULL PRIMARY KEY,
    incarnation  INTEGER NOT NULL,
    build        TEXT    NOT NULL,
    listen       TEXT    NOT NULL,
    last_seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How far the ledger of each incarnation is counted in usage_1m. Written in the same transaction as the counts.
CREATE TABLE telemetry_cursor (
    node_id     TEXT    NOT NULL,
    incarnation INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    PRIMARY KEY (node_id, incarnation)
) STRICT, WITHOUT ROWID;

-- Usage by the minute. The shard comes from the node's name, so that nodes do not all write the same row.
CREATE TABLE usage_1m (
    minute_ms       INTEGER NOT NULL,
    provider        TEXT    NOT NULL,
    credential      TEXT    NOT NULL,
    model           TEXT    NOT NULL,
    shard           INTEGER NOT NULL,
    ok              INTEGER NOT NULL,
    err_4xx         INTEGER NOT NULL,
    rate_limited    INTEGER NOT NULL,
    err_5xx         INTEGER NOT NULL,
    timeout         INTEGER NOT NULL,
    connect_err     INTEGER NOT NULL,
    cancelled       INTEGER NOT NULL,
    retried         INTEGER NOT NULL,
    latency_us      INTEGER NOT NULL,
    tok_in          INTEGER NOT NULL,
    tok_out         INTEGER NOT NULL,
    tok_cache_read  INTEGER NOT NULL,
    tok_cache_write INTEGER NOT NULL,
    tok_reasoning   INTEGER NOT NULL,
    tok_estimated   INTEGER NOT NULL,
    PRIMARY KEY (minute_ms, provider, credential, model, shard)
) STRICT, WITHOUT ROWID;
