-- Usage by the hour: of all minutes that begin before usage_mark.rolled_to_ms, and of no others.
CREATE TABLE usage_1h (
    hour_ms         BIGINT NOT NULL,
    provider        TEXT   NOT NULL COLLATE "C",
    credential      TEXT   NOT NULL COLLATE "C",
    model           TEXT   NOT NULL COLLATE "C",
    ok              BIGINT NOT NULL,
    err_4xx         BIGINT NOT NULL,
    rate_limited    BIGINT NOT NULL,
    err_5xx         BIGINT NOT NULL,
    timeout         BIGINT NOT NULL,
    connect_err     BIGINT NOT NULL,
    cancelled       BIGINT NOT NULL,
    retried         BIGINT NOT NULL,
    latency_us      BIGINT NOT NULL,
    streams         BIGINT NOT NULL,
    stream_us       BIGINT NOT NULL,
    first_event_us  BIGINT NOT NULL,
    tok_in          BIGINT NOT NULL,
    tok_out         BIGINT NOT NULL,
    tok_cache_read  BIGINT NOT NULL,
    tok_cache_write BIGINT NOT NULL,
    tok_reasoning   BIGINT NOT NULL,
    tok_estimated   BIGINT NOT NULL,
    PRIMARY KEY (hour_ms, provider, credential, model)
);

-- Usage by the day, of the same minutes.
CREATE TABLE usage_1d (
    day_ms          BIGINT NOT NULL,
    provider        TEXT   NOT NULL COLLATE "C",
    credential      TEXT   NOT NULL COLLATE "C",
    model           TEXT   NOT NULL COLLATE "C",
    ok              BIGINT NOT NULL,
    err_4xx         BIGINT NOT NULL,
    rate_limited    BIGINT NOT NULL,
    err_5xx         BIGINT NOT NULL,
    timeout         BIGINT NOT NULL,
    connect_err     BIGINT NOT NULL,
    cancelled       BIGINT NOT NULL,
    retried         BIGINT NOT NULL,
    latency_us      BIGINT NOT NULL,
    streams         BIGINT NOT NULL,
    stream_us       BIGINT NOT NULL,
    first_event_us  BIGINT NOT NULL,
    tok_in          BIGINT NOT NULL,
    tok_out         BIGINT NOT NULL,
    tok_cache_read  BIGINT NOT NULL,
    tok_cache_write BIGINT NOT NULL,
    tok_reasoning   BIGINT NOT NULL,
    tok_estimated   BIGINT NOT NULL,
    PRIMARY KEY (day_ms, provider, credential, model)
);

-- What was taken but is counted nowhere else, as it may have been counted under a cursor that is forgotten: by the
-- hour in which it came.
CREATE TABLE usage_late (
    hour_ms         BIGINT NOT NULL,
    provider        TEXT   NOT NULL COLLATE "C",
    credential      TEXT   NOT NULL COLLATE "C",
    model           TEXT   NOT NULL COLLATE "C",
    ok              BIGINT NOT NULL,
    err_4xx         BIGINT NOT NULL,
    rate_limited    BIGINT NOT NULL,
    err_5xx         BIGINT NOT NULL,
    timeout         BIGINT NOT NULL,
    connect_err     BIGINT NOT NULL,
    cancelled       BIGINT NOT NULL,
    retried         BIGINT NOT NULL,
    latency_us      BIGINT NOT NULL,
    streams         BIGINT NOT NULL,
    stream_us       BIGINT NOT NULL,
    first_event_us  BIGINT NOT NULL,
    tok_in          BIGINT NOT NULL,
    tok_out         BIGINT NOT NULL,
    tok_cache_read  BIGINT NOT NULL,
    tok_cache_write BIGINT NOT NULL,
    tok_reasoning   BIGINT NOT NULL,
    tok_estimated   BIGINT NOT NULL,
    PRIMARY KEY (hour_ms, provider, credential, model)
);

-- How far usage is rolled up and forgotten. Whoever counts holds a shared advisory lock against whoever rolls up.
CREATE TABLE usage_mark (
    singleton       BIGINT NOT NULL PRIMARY KEY CHECK (singleton = 1),
    -- The beginning of an hour.
    rolled_to_ms    BIGINT NOT NULL,
    -- Minutes before this are forgotten. The beginning of an hour, not after rolled_to_ms.
    minutes_from_ms BIGINT NOT NULL,
    -- When the last of all forgotten cursors had moved; NULL when none was forgotten.
    purged_to_ms    BIGINT
);

INSERT INTO usage_mark (singleton, rolled_to_ms, minutes_from_ms, purged_to_ms) VALUES (1, 0, 0, NULL);

-- Windows that begin before this may have been counted under an earlier cursor of that incarnation; NULL when none was
-- forgotten.
ALTER TABLE telemetry_cursor ADD COLUMN late_before_ms BIGINT;
