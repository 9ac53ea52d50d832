-- What replicas tell each other. Numbers have no gaps, and are committed in their order.
CREATE TABLE post (
    number  BIGINT NOT NULL PRIMARY KEY,
    replica TEXT   NOT NULL,
    -- What only the program reads.
    body    BYTEA  NOT NULL
);

-- The newest number; whoever takes one holds its lock until the commit. Apart from cp_meta, so that posts do not wait
-- for changes.
CREATE TABLE post_number (
    singleton BIGINT NOT NULL PRIMARY KEY CHECK (singleton = 1),
    newest    BIGINT NOT NULL
) WITH (fillfactor = 10);

INSERT INTO post_number (singleton, newest) VALUES (1, 0);
