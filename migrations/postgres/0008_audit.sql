-- Who changed what, when and why.
CREATE TABLE audit (
    audit_id     TEXT   NOT NULL COLLATE "C" PRIMARY KEY,
    at_ms        BIGINT NOT NULL,
    actor        TEXT   NOT NULL,
    -- From where.
    origin       TEXT   NOT NULL,
    action       TEXT   NOT NULL,
    -- NULL when it is about none.
    provider     TEXT,
    subject      TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    before_value TEXT   NOT NULL,
    after_value  TEXT   NOT NULL
);

CREATE INDEX audit_at ON audit (at_ms, audit_id);

-- What operators' calls were answered, so that a repeated call does nothing.
CREATE TABLE outcome (
    request_id TEXT   NOT NULL COLLATE "C" PRIMARY KEY,
    answer     TEXT   NOT NULL,
    at_ms      BIGINT NOT NULL
);

CREATE INDEX outcome_at ON outcome (at_ms);
