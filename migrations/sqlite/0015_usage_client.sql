-- Usage apart by the client that asked and by the price that its cost is reckoned by, which become part of the key of
-- every table; and the cost. What was counted before is of no client ('') and at no price (''), and cost nothing.

ALTER TABLE usage_1m RENAME TO usage_1m_before;

CREATE TABLE usage_1m (
    minute_ms       INTEGER NOT NULL,
    provider        TEXT    NOT NULL,
    credential      TEXT    NOT NULL,
    model           TEXT    NOT NULL,
    client          TEXT    NOT NULL,
    price_version   TEXT    NOT NULL,
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
    streams         INTEGER NOT NULL,
    stream_us       INTEGER NOT NULL,
    first_event_us  INTEGER NOT NULL,
    tok_in          INTEGER NOT NULL,
    tok_out         INTEGER NOT NULL,
    tok_cache_read  INTEGER NOT NULL,
    tok_cache_write INTEGER NOT NULL,
    tok_reasoning   INTEGER NOT NULL,
    tok_estimated   INTEGER NOT NULL,
    cost_nanos      INTEGER NOT NULL,
    PRIMARY KEY (minute_ms, provider, credential, model, client, price_version, shard)
) STRICT, WITHOUT ROWID;

INSERT INTO usage_1m (
    minute_ms, provider, credential, model, shard, ok, err_4xx, rate_limited, err_5xx, timeout, connect_err,
    cancelled, retried, latency_us, streams, stream_us, first_event_us, tok_in, tok_out, tok_cache_read,
    tok_cache_write, tok_reasoning, tok_estimated, client, price_version, cost_nanos
)
SELECT
    minute_ms, provider, credential, model, shard, ok, err_4xx, rate_limited, err_5xx, timeout, connect_err,
    cancelled, retried, latency_us, streams, stream_us, first_event_us, tok_in, tok_out, tok_cache_read,
    tok_cache_write, tok_reasoning, tok_estimated, '', '', 0
FROM usage_1m_before;

DROP TABLE usage_1m_before;

ALTER TABLE usage_1h RENAME TO usage_1h_before;

CREATE TABLE usage_1h (
    hour_ms         INTEGER NOT NULL,
    provider        TEXT    NOT NULL,
    credential      TEXT    NOT NULL,
    model           TEXT    NOT NULL,
    client          TEXT    NOT NULL,
    price_version   TEXT    NOT NULL,
    ok              INTEGER NOT NULL,
    err_4xx         INTEGER NOT NULL,
    rate_limited    INTEGER NOT NULL,
    err_5xx         INTEGER NOT NULL,
    timeout         INTEGER NOT NULL,
    connect_err     INTEGER NOT NULL,
    cancelled       INTEGER NOT NULL,
    retried         INTEGER NOT NULL,
    latency_us      INTEGER NOT NULL,
    streams         INTEGER NOT NULL,
    stream_us       INTEGER NOT NULL,
    first_event_us  INTEGER NOT NULL,
    tok_in          INTEGER NOT NULL,
    tok_out         INTEGER NOT NULL,
    tok_cache_read  INTEGER NOT NULL,
    tok_cache_write INTEGER NOT NULL,
    tok_reasoning   INTEGER NOT NULL,
    tok_estimated   INTEGER NOT NULL,
    cost_nanos      INTEGER NOT NULL,
    PRIMARY KEY (hour_ms, provider, credential, model, client, price_version)
) STRICT, WITHOUT ROWID;

INSERT INTO usage_1h (
    hour_ms, provider, credential, model, ok, err_4xx, rate_limited, err_5xx, timeout, connect_err, cancelled,
    retried, latency_us, streams, stream_us, first_event_us, tok_in, tok_out, tok_cache_read, tok_cache_write,
    tok_reasoning, tok_estimated, client, price_version, cost_nanos
)
SELECT
    hour_ms, provider, credential, model, ok, err_4xx, rate_limited, err_5xx, timeout, connect_err, cancelled,
    retried, latency_us, streams, stream_us, first_event_us, tok_in, tok_out, tok_cache_read, tok_cache_write,
    tok_reasoning, tok_estimated, '', '', 0
FROM usage_1h_before;

DROP TABLE usage_1h_before;

ALTER TABLE usage_1d RENAME TO usage_1d_before;

CREATE TABLE usage_1d (
    day_ms          INTEGER NOT NULL,
    provider        TEXT    NOT NULL,
    credential      TEXT    NOT NULL,
    model           TEXT    NOT NULL,
    client          TEXT    NOT NULL,
    price_version   TEXT    NOT NULL,
    ok              INTEGER NOT NULL,
    err_4xx         INTEGER NOT NULL,
    rate_limited    INTEGER NOT NULL,
    err_5xx         INTEGER NOT NULL,
    timeout         INTEGER NOT NULL,
    connect_err     INTEGER NOT NULL,
    cancelled       INTEGER NOT NULL,
    retried         INTEGER NOT NULL,
    latency_us      INTEGER NOT NULL,
    streams         INTEGER NOT NULL,
    stream_us       INTEGER NOT NULL,
    first_event_us  INTEGER NOT NULL,
    tok_in          INTEGER NOT NULL,
    tok_out         INTEGER NOT NULL,
    tok_cache_read  INTEGER NOT NULL,
    tok_cache_write INTEGER NOT NULL,
    tok_reasoning   INTEGER NOT NULL,
    tok_estimated   INTEGER NOT NULL,
    cost_nanos      INTEGER NOT NULL,
    PRIMARY KEY (day_ms, provider, credential, model, client, price_version)
) STRICT, WITHOUT ROWID;

INSERT INTO usage_1d (
    day_ms, provider, credential, model, ok, err_4xx, rate_limited, err_5xx, timeout, connect_err, cancelled,
    retried, latency_us, streams, stream_us, first_event_us, tok_in, tok_out, tok_cache_read, tok_cache_write,
    tok_reasoning, tok_estimated, client, price_version, cost_nanos
)
SELECT
    day_ms, provider, credential, model, ok, err_4xx, rate_limited, err_5xx, timeout, connect_err, cancelled,
    retried, latency_us, streams, stream_us, first_event_us, tok_in, tok_out, tok_cache_read, tok_cache_write,
    tok_reasoning, tok_estimated, '', '', 0
FROM usage_1d_before;

DROP TABLE usage_1d_before;

ALTER TABLE usage_late RENAME TO usage_late_before;

CREATE TABLE usage_late (
    hour_ms         INTEGER NOT NULL,
    provider        TEXT    NOT NULL,
    credential      TEXT    NOT NULL,
    model           TEXT    NOT NULL,
    client          TEXT    NOT NULL,
    price_version   TEXT    NOT NULL,
    ok              INTEGER NOT NULL,
    err_4xx         INTEGER NOT NULL,
    rate_limited    INTEGER NOT NULL,
    err_5xx         INTEGER NOT NULL,
    timeout         INTEGER NOT NULL,
    connect_err     INTEGER NOT NULL,
    cancelled       INTEGER NOT NULL,
    retried         INTEGER NOT NULL,
    latency_us      INTEGER NOT NULL,
    streams         INTEGER NOT NULL,
    stream_us       INTEGER NOT NULL,
    first_event_us  INTEGER NOT NULL,
    tok_in          INTEGER NOT NULL,
    tok_out         INTEGER NOT NULL,
    tok_cache_read  INTEGER NOT NULL,
    tok_cache_write INTEGER NOT NULL,
    tok_reasoning   INTEGER NOT NULL,
    tok_estimated   INTEGER NOT NULL,
    cost_nanos      INTEGER NOT NULL,
    PRIMARY KEY (hour_ms, provider, credential, model, client, price_version)
) STRICT, WITHOUT ROWID;

INSERT INTO usage_late (
    hour_ms, provider, credential, model, ok, err_4xx, rate_limited, err_5xx, timeout, connect_err, cancelled,
    retried, latency_us, streams, stream_us, first_event_us, tok_in, tok_out, tok_cache_read, tok_cache_write,
    tok_reasoning, tok_estimated, client, price_version, cost_nanos
)
SELECT
    hour_ms, provider, credential, model, ok, err_4xx, rate_limited, err_5xx, timeout, connect_err, cancelled,
    retried, latency_us, streams, stream_us, first_event_us, tok_in, tok_out, tok_cache_read, tok_cache_write,
    tok_reasoning, tok_estimated, '', '', 0
FROM usage_late_before;

DROP TABLE usage_late_before;
