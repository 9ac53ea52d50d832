-- Counts by provider the minutes in which it was called, and those in which it answered, be it with a refusal.
SELECT provider, count(*) FILTER (WHERE answered), count(*)
FROM (
    SELECT provider, minute_ms, bool_or(ok > 0 OR err_4xx > 0 OR rate_limited > 0) AS answered
    FROM usage_1m
    WHERE minute_ms >= $1 AND minute_ms < $2
        AND (ok > 0 OR err_4xx > 0 OR rate_limited > 0 OR err_5xx > 0 OR timeout > 0 OR connect_err > 0)
    GROUP BY provider, minute_ms
) AS called
GROUP BY provider
ORDER BY provider
