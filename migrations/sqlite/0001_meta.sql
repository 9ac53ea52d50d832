-- The one row that names this database and counts what is numbered.
CREATE TABLE cp_meta (
    singleton   INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    history_id  TEXT    NOT NULL,
    -- The newest version in change_log; 0 when there is none.
    log_version INTEGER NOT NULL,
    -- Written by ping, so that a ping is a commit.
    pings       INTEGER NOT NULL
) STRICT;

-- Migrations run once: this is when the history gets its name.
INSERT INTO cp_meta (singleton, history_id, log_version, pings)
VALUES (1, lower(hex(randomblob(16))), 0, 0);
