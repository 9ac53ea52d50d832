-- Health checks by the minute. The minute goes first, so that old ones are purged from one end.
CREATE TABLE check_1m (
    minute_ms BIGINT NOT NULL,
    provider  TEXT   NOT NULL COLLATE "C",
    checks    BIGINT NOT NULL,
    passed    BIGINT NOT NULL,
    PRIMARY KEY (minute_ms, provider)
);
