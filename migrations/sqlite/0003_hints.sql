-- What rests now, or rested last: the epoch must outlive the rest.
CREATE TABLE cooldown (
    provider    TEXT    NOT NULL,
    credential  TEXT    NOT NULL,
    -- Unsigned, its bits read as signed: compared by the program only.
    epoch       INTEGER NOT NULL,
    started_ms  INTEGER NOT NULL,
    until_ms    INTEGER NOT NULL,
    cause       TEXT    NOT NULL,
    source_node TEXT    NOT NULL,
    PRIMARY KEY (provider, credential)
) STRICT, WITHOUT ROWID;

-- Every change on the hint line, in the order in which they were committed. Versions have no gaps.
CREATE TABLE change_log (
    version INTEGER NOT NULL PRIMARY KEY,
    kind    TEXT    NOT NULL,
    -- The merged value, as JSON that only the program reads.
    body    TEXT    NOT NULL
) STRICT;

-- Urgent events as nodes sent them.
CREATE TABLE event (
    event_id    TEXT    NOT NULL PRIMARY KEY,
    node_id     TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    provider    TEXT    NOT NULL,
    credential  TEXT    NOT NULL,
    http_status INTEGER NOT NULL,
    rest_ms     INTEGER NOT NULL,
    seen_epoch  INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX event_at ON event (at_ms);
