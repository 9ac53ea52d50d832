-- Takes a lease for $2, or renews it, when nobody else has it; by the clock of this database alone, read after the wait
-- for the row. Gives nothing when another has it.
INSERT INTO lease AS held (name, holder, epoch, end_ms)
VALUES ($1, $2, 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $3)
ON CONFLICT (name) DO UPDATE SET
    holder = excluded.holder,
    epoch = CASE WHEN held.holder = excluded.holder THEN held.epoch ELSE held.epoch + 1 END,
    end_ms = excluded.end_ms
WHERE held.holder = excluded.holder
    OR held.holder IS NULL
    OR held.end_ms <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint
