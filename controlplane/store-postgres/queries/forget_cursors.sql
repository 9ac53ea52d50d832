-- Forgets the cursors that have not moved since $1, unless their incarnation of the node was heard of since, and tells when
-- the last of them had moved. What is only there to be locked was never a cursor.
WITH forgotten AS (
    DELETE FROM telemetry_cursor c
    WHERE c.updated_ms < $1
        AND NOT EXISTS (
            SELECT FROM node n
            WHERE n.node_id = c.node_id AND n.incarnation = c.incarnation AND n.last_seen_ms >= $1
        )
    RETURNING c.last_seq, c.updated_ms
)
UPDATE usage_mark SET purged_to_ms = greatest(
    purged_to_ms, (SELECT max(updated_ms) FROM forgotten WHERE last_seq IS NOT NULL)
)
