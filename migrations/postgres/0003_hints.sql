-- Every change on the hint line, in the order in which they were committed. Versions have no gaps.
CREATE TABLE change_log (
    version BIGINT NOT NULL PRIMARY KEY,
    kind    TEXT   NOT NULL,
    -- The merged value, as JSON that only the program reads.
    body    TEXT   NOT NULL
);

-- Urgent events as nodes sent them.
CREATE TABLE event (
    event_id    TEXT   NOT NULL COLLATE "C" PRIMARY KEY,
    node_id     TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    provider    TEXT   NOT NULL,
    credential  TEXT   NOT NULL,
    http_status BIGINT NOT NULL,
    seen_epoch  BIGINT NOT NULL,
    at_ms       BIGINT NOT NULL
);

CREATE INDEX event_at ON event (at_ms);
