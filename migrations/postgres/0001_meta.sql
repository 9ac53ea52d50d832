-- The one row that names this database and counts what is numbered. Whoever numbers holds its lock until the commit, so
-- that numbers have no gaps and are committed in their order.
CREATE TABLE cp_meta (
    singleton   BIGINT NOT NULL PRIMARY KEY CHECK (singleton = 1),
    history_id  TEXT   NOT NULL,
    -- The newest version in change_log; 0 when there is none.
    log_version BIGINT NOT NULL,
    -- The server and its timeline that this history belongs to; empty until the first program has seen it.
    server      TEXT   NOT NULL
);

-- Migrations run once: this is when the history gets its name.
INSERT INTO cp_meta (singleton, history_id, log_version, server)
VALUES (1, replace(gen_random_uuid()::text, '-', ''), 0, '');

-- Written by ping, so that a ping is a commit. Apart from cp_meta, whose row is locked while changes are committed.
CREATE TABLE cp_ping (
    singleton BIGINT NOT NULL PRIMARY KEY CHECK (singleton = 1),
    pings     BIGINT NOT NULL
);

INSERT INTO cp_ping (singleton, pings) VALUES (1, 0);
