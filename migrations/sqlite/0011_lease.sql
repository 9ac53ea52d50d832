-- Who does for all what only one may do.
CREATE TABLE lease (
    name   TEXT    NOT NULL PRIMARY KEY,
    -- NULL once it was given up.
    holder TEXT,
    -- Grows with each change of the holder.
    epoch  INTEGER NOT NULL,
    -- By the database's clock.
    end_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
