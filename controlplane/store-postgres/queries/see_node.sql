-- Writes a node down unless what is known of it is newer. Incarnations are unsigned, their bits read as signed: with the
-- highest bit flipped they compare as they should.
INSERT INTO node AS known (node_id, incarnation, build, listen, last_seen_ms)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (node_id) DO UPDATE SET
    incarnation = excluded.incarnation,
    build = excluded.build,
    listen = excluded.listen,
    last_seen_ms = excluded.last_seen_ms
WHERE (excluded.incarnation # '-9223372036854775808'::bigint, excluded.last_seen_ms)
    >= (known.incarnation # '-9223372036854775808'::bigint, known.last_seen_ms)
