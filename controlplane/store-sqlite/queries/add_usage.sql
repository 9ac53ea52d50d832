-- Adds to one cell of the usage table. A counter stays at the highest number instead of passing it.
INSERT INTO usage_1m (
    minute_ms, provider, credential, model, shard,
    ok, err_4xx, rate_limited, err_5xx, timeout, connect_err, cancelled, retried, latency_us,
    streams, stream_us, first_event_us,
    tok_in, tok_out, tok_cache_read, tok_cache_write, tok_reasoning, tok_estimated
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
    ?22, ?23)
ON CONFLICT (minute_ms, provider, credential, model, shard) DO UPDATE SET
    ok = min(ok, 9223372036854775807 - excluded.ok) + excluded.ok,
    err_4xx = min(err_4xx, 9223372036854775807 - excluded.err_4xx) + excluded.err_4xx,
    rate_limited = min(rate_limited, 9223372036854775807 - excluded.rate_limited) + excluded.rate_limited,
    err_5xx = min(err_5xx, 9223372036854775807 - excluded.err_5xx) + excluded.err_5xx,
    timeout = min(timeout, 9223372036854775807 - excluded.timeout) + excluded.timeout,
    connect_err = min(connect_err, 9223372036854775807 - excluded.connect_err) + excluded.connect_err,
    cancelled = min(cancelled, 9223372036854775807 - excluded.cancelled) + excluded.cancelled,
    retried = min(retried, 9223372036854775807 - excluded.retried) + excluded.retried,
    latency_us = min(latency_us, 9223372036854775807 - excluded.latency_us) + excluded.latency_us,
    streams = min(streams, 9223372036854775807 - excluded.streams) + excluded.streams,
    stream_us = min(stream_us, 9223372036854775807 - excluded.stream_us) + excluded.stream_us,
    first_event_us = min(first_event_us, 9223372036854775807 - excluded.first_event_us) + excluded.first_event_us,
    tok_in = min(tok_in, 9223372036854775807 - excluded.tok_in) + excluded.tok_in,
    tok_out = min(tok_out, 9223372036854775807 - excluded.tok_out) + excluded.tok_out,
    tok_cache_read = min(tok_cache_read, 9223372036854775807 - excluded.tok_cache_read) + excluded.tok_cache_read,
    tok_cache_write = min(tok_cache_write, 9223372036854775807 - excluded.tok_cache_write) + excluded.tok_cache_write,
    tok_reasoning = min(tok_reasoning, 9223372036854775807 - excluded.tok_reasoning) + excluded.tok_reasoning,
    tok_estimated = min(tok_estimated, 9223372036854775807 - excluded.tok_estimated) + excluded.tok_estimated
