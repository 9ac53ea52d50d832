-- Health checks by the minute. The minute goes first, so that old ones are purged from one end.
CREATE TABLE check_1m (
    minute_ms INTEGER NOT NULL,
    provider  TEXT    NOT NULL,
    checks    INTEGER NOT NULL,
    passed    INTEGER NOT NULL,
    PRIMARY KEY (minute_ms, provider)
) STRICT, WITHOUT ROWID;
