-- Sums usage by key. Each counter comes in two halves, so that no sum passes 64 bits: the upper halves are summed
-- apart from the lower ones, and the program puts them together.
SELECT provider, credential, model,
    sum(ok >> 32), sum(ok & 4294967295),
    sum(err_4xx >> 32), sum(err_4xx & 4294967295),
    sum(rate_limited >> 32), sum(rate_limited & 4294967295),
    sum(err_5xx >> 32), sum(err_5xx & 4294967295),
    sum(timeout >> 32), sum(timeout & 4294967295),
    sum(connect_err >> 32), sum(connect_err & 4294967295),
    sum(cancelled >> 32), sum(cancelled & 4294967295),
    sum(retried >> 32), sum(retried & 4294967295),
    sum(latency_us >> 32), sum(latency_us & 4294967295),
    sum(streams >> 32), sum(streams & 4294967295),
    sum(stream_us >> 32), sum(stream_us & 4294967295),
    sum(first_event_us >> 32), sum(first_event_us & 4294967295),
    sum(tok_in >> 32), sum(tok_in & 4294967295),
    sum(tok_out >> 32), sum(tok_out & 4294967295),
    sum(tok_cache_read >> 32), sum(tok_cache_read & 4294967295),
    sum(tok_cache_write >> 32), sum(tok_cache_write & 4294967295),
    sum(tok_reasoning >> 32), sum(tok_reasoning & 4294967295),
    sum(tok_estimated >> 32), sum(tok_estimated & 4294967295)
FROM usage_1m
WHERE minute_ms >= ?1 AND minute_ms < ?2
GROUP BY provider, credential, model
ORDER BY provider, credential, model
