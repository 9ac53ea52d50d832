-- Usage by the hour: of all minutes that begin before usage_mark.rolled_to_ms, and of no others.
CREATE TABLE usage_1h (
    hour_ms         INTEGER NOT NULL,
    provider        TEXT    NOT NULL,
    credential      TEXT    NOT NULL,
    model           TEXT    NOT NULL,
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
    PRIMARY KEY (hour_ms, provider, credential, model)
) STRICT, WITHOUT ROWID;

-- Usage by the day, of the same minutes.
CREATE TABLE usage_1d (
    day_ms          INTEGER NOT NULL,
    provider        TEXT    NOT NULL,
    credential      TEXT    NOT NULL,
    model           TEXT    NOT NULL,
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
    PRIMARY KEY (day_ms, provider, credential, model)
) STRICT, WITHOUT ROWID;

-- What was taken but is counted nowhere else, as it may have been counted under a cursor that is forgotten: by the
-- hour in which it came.
CREATE TABLE usage_late (
    hour_ms         INTEGER NOT NULL,
    provider        TEXT    NOT NULL,
    credential      TEXT    NOT NULL,
    model           TEXT    NOT NULL,
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
    PRIMARY KEY (hour_ms, provider, credential, model)
) STRICT, WITHOUT ROWID;

-- How far usage is rolled up and forgotten.
CREATE TABLE usage_mark (
    singleton       INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    -- The beginning of an hour.
    rolled_to_ms    INTEGER NOT NULL,
    -- Minutes before this are forgotten. The beginning of an hour, not after rolled_to_ms.
    minutes_from_ms INTEGER NOT NULL,
    -- When the last of all forgotten cursors had moved; NULL when none was forgotten.
    purged_to_ms    INTEGER
) STRICT;

INSERT INTO usage_mark (singleton, rolled_to_ms, minutes_from_ms, purged_to_ms) VALUES (1, 0, 0, NULL);

-- Windows that begin before this may have been counted under an earlier cursor of that incarnation; NULL when none was
-- forgotten.
ALTER TABLE telemetry_cursor ADD COLUMN late_before_ms INTEGER;
