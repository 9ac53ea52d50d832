-- Writes merged hints ($1 to $4) and their changes ($5 to $7), forgets changes up to $8, makes $9 the newest version, and
-- rings the doorbells.
WITH set AS (
    INSERT INTO hint (kind, key, body, settled_ms)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
    ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body, settled_ms = excluded.settled_ms
), logged AS (
    INSERT INTO change_log (version, kind, body)
    SELECT * FROM unnest($5::bigint[], $6::text[], $7::text[])
), forgotten AS (
    DELETE FROM change_log WHERE version <= $8
)
UPDATE cp_meta SET log_version = $9 RETURNING pg_notify('cliproxy_log', 'log ' || log_version)::text
