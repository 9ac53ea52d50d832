-- Who does for all what only one may do.
CREATE TABLE lease (
    name   TEXT   NOT NULL COLLATE "C" PRIMARY KEY,
    -- NULL once it was given up.
    holder TEXT,
    -- Grows with each change of the holder.
    epoch  BIGINT NOT NULL,
    -- By the database's clock.
    end_ms BIGINT NOT NULL
) WITH (fillfactor = 50);
