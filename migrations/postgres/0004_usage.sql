-- Data-plane nodes as they last presented themselves.
CREATE TABLE node (
    node_id      TEXT   NOT NULL COLLATE "C" PRIMARY KEY,
    incarnation  BIGINT NOT NULL,
    build        TEXT   NOT NULL,
    listen       TEXT   NOT NULL,
    last_seen_ms BIGINT NOT NULL
);

-- How far the ledger of each incarnation is counted in usage_1m. Written in the same transaction as the counts.
CREATE TABLE telemetry_cursor (
    node_id     TEXT   NOT NULL COLLATE "C",
    incarnation BIGINT NOT NULL,
    -- NULL while nothing is counted: the row is there to be locked before there is anything to say.
    last_seq    BIGINT,
    updated_ms  BIGINT NOT NULL,
    PRIMARY KEY (node_id, incarnation)
) WITH (fillfactor = 50);

-- Usage by the minute. The shard comes from the node's name, so that nodes do not all write the same row. A row is
-- written each second while its minute lasts: its page keeps room for the next versions of it.
CREATE TABLE usage_1m (
    minute_ms       BIGINT NOT NULL,
    provider        TEXT   NOT NULL COLLATE "C",
    credential      TEXT   NOT NULL COLLATE "C",
    model           TEXT   NOT NULL COLLATE "C",
    shard           BIGINT NOT NULL,
    ok              BIGINT NOT NULL,
    err_4xx         BIGINT NOT NULL,
    rate_limited    BIGINT NOT NULL,
    err_5xx         BIGINT NOT NULL,
    timeout         BIGINT NOT NULL,
    connect_err     BIGINT NOT NULL,
    cancelled       BIGINT NOT NULL,
    retried         BIGINT NOT NULL,
    latency_us      BIGINT NOT NULL,
    tok_in          BIGINT NOT NULL,
    tok_out         BIGINT NOT NULL,
    tok_cache_read  BIGINT NOT NULL,
    tok_cache_write BIGINT NOT NULL,
    tok_reasoning   BIGINT NOT NULL,
    tok_estimated   BIGINT NOT NULL,
    PRIMARY KEY (minute_ms, provider, credential, model, shard)
) WITH (fillfactor = 70);
