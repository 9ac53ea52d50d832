-- Numbers a post, keeps it, forgets all but the newest $3, and rings the doorbells. The number is locked until the commit.
WITH next AS (
    UPDATE post_number SET newest = newest + 1 RETURNING newest
), added AS (
    INSERT INTO post (number, replica, body) SELECT newest, $1, $2 FROM next
), forgotten AS (
    DELETE FROM post WHERE number <= (SELECT newest FROM next) - $3
)
SELECT newest, pg_notify('cliproxy_log', 'post ' || newest)::text FROM next
