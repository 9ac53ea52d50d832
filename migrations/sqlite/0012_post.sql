-- What replicas tell each other. Numbers have no gaps.
CREATE TABLE post (
    number  INTEGER NOT NULL PRIMARY KEY,
    replica TEXT    NOT NULL,
    -- What only the program reads.
    body    BLOB    NOT NULL
) STRICT;
