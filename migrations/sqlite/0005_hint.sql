-- The newest value of every key on the hint line: what rests and whether providers answer.
CREATE TABLE hint (
    -- cooldown or health, as in change_log.
    kind       TEXT NOT NULL,
    -- What it is about: a JSON array of names, without blanks.
    key        TEXT NOT NULL,
    -- The value, as JSON that only the program reads.
    body       TEXT NOT NULL,
    -- After this nothing hangs on it any more; NULL when something always will.
    settled_ms INTEGER,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX hint_settled ON hint (settled_ms) WHERE settled_ms IS NOT NULL;

-- So far only credentials rested, and nobody probed. An epoch is unsigned, which json_object() does not know.
INSERT INTO hint (kind, key, body, settled_ms)
SELECT
    'cooldown',
    json_array(provider, credential),
    json_object(
        'provider', provider,
        'credential', credential,
        'epoch', json(printf('%u', epoch)),
        'round', 0,
        'started_ms', started_ms,
        'until_ms', until_ms,
        'cleared', json('false'),
        'cause', cause,
        'source_node', source_node,
        'streak', 1
    ),
    CASE WHEN epoch = 0 THEN until_ms END
FROM cooldown;

-- One program at a time has this database, and an older one refuses it from here on: nobody looks for the old table.
DROP TABLE cooldown;
