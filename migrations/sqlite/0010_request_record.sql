-- Requests that are kept for explaining. Bodies are long, so the rows stand apart from their keys.
CREATE TABLE request_record (
    request_id TEXT    NOT NULL PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    body       TEXT    NOT NULL
) STRICT;

CREATE INDEX request_record_at ON request_record (at_ms, request_id);

-- How many rows request_record has, so that nobody need count them to see whether they are too many.
ALTER TABLE cp_meta ADD COLUMN requests INTEGER NOT NULL DEFAULT 0;
