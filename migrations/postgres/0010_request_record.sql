-- Requests that are kept for explaining.
CREATE TABLE request_record (
    request_id TEXT   NOT NULL COLLATE "C" PRIMARY KEY,
    at_ms      BIGINT NOT NULL,
    body       TEXT   NOT NULL
);

CREATE INDEX request_record_at ON request_record (at_ms, request_id);

-- How many rows request_record has, so that nobody need count them to see whether they are too many. Apart from
-- cp_meta, whose row is locked while changes are committed.
CREATE TABLE request_count (
    singleton BIGINT NOT NULL PRIMARY KEY CHECK (singleton = 1),
    requests  BIGINT NOT NULL
);

INSERT INTO request_count (singleton, requests) VALUES (1, 0);
