-- The newest value of every key on the hint line: what rests and whether providers answer.
CREATE TABLE hint (
    -- cooldown or health, as in change_log.
    kind       TEXT NOT NULL COLLATE "C",
    -- What it is about: a JSON array of names, without blanks.
    key        TEXT NOT NULL COLLATE "C",
    -- The value, as JSON that only the program reads.
    body       TEXT NOT NULL,
    -- After this nothing hangs on it any more; NULL when something always will.
    settled_ms BIGINT,
    PRIMARY KEY (kind, key)
);

CREATE INDEX hint_settled ON hint (settled_ms) WHERE settled_ms IS NOT NULL;
