//! The counters of a usage table, as every statement spells them, and the statements that all such tables have.

/// The columns, in the order of [`cliproxy_store::ledger::Sums`].
macro_rules! counters {
    () => {
        "ok, err_4xx, rate_limited, err_5xx, timeout, connect_err, cancelled, retried, latency_us, streams,
        stream_us, first_event_us, tok_in, tok_out, tok_cache_read, tok_cache_write, tok_reasoning,
        tok_estimated, cost_nanos"
    };
}

/// Adds to the counters of a row that is there. One stays at the highest number instead of passing it.
macro_rules! add_counters {
    () => {
        "ok = min(ok, 9223372036854775807 - excluded.ok) + excluded.ok,
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
        tok_estimated = min(tok_estimated, 9223372036854775807 - excluded.tok_estimated) + excluded.tok_estimated,
        cost_nanos = min(cost_nanos, 9223372036854775807 - excluded.cost_nanos) + excluded.cost_nanos"
    };
}

/// Sums each counter in two halves, so that no sum passes 64 bits: the upper halves apart from the lower ones. The
/// program puts them together.
macro_rules! halves {
    () => {
        "sum(ok >> 32), sum(ok & 4294967295), sum(err_4xx >> 32), sum(err_4xx & 4294967295),
        sum(rate_limited >> 32), sum(rate_limited & 4294967295),
        sum(err_5xx >> 32), sum(err_5xx & 4294967295), sum(timeout >> 32), sum(timeout & 4294967295),
        sum(connect_err >> 32), sum(connect_err & 4294967295),
        sum(cancelled >> 32), sum(cancelled & 4294967295), sum(retried >> 32), sum(retried & 4294967295),
        sum(latency_us >> 32), sum(latency_us & 4294967295), sum(streams >> 32), sum(streams & 4294967295),
        sum(stream_us >> 32), sum(stream_us & 4294967295),
        sum(first_event_us >> 32), sum(first_event_us & 4294967295),
        sum(tok_in >> 32), sum(tok_in & 4294967295), sum(tok_out >> 32), sum(tok_out & 4294967295),
        sum(tok_cache_read >> 32), sum(tok_cache_read & 4294967295),
        sum(tok_cache_write >> 32), sum(tok_cache_write & 4294967295),
        sum(tok_reasoning >> 32), sum(tok_reasoning & 4294967295),
        sum(tok_estimated >> 32), sum(tok_estimated & 4294967295),
        sum(cost_nanos >> 32), sum(cost_nanos & 4294967295)"
    };
}

/// Adds to one row of a table by the hour or day.
macro_rules! add_to_period {
    ($table:literal, $at:literal) => {
        concat!(
            "INSERT INTO ", $table, " (", $at, ", provider, credential, model, client, price_version, ", counters!(), ")
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
                ?24, ?25)
            ON CONFLICT (", $at, ", provider, credential, model, client, price_version) DO UPDATE SET ", add_counters!()
        )
    };
}

/// Sums by key what `$rows` selects.
macro_rules! sum_by_key {
    ($rows:expr) => {
        concat!(
            "SELECT provider, credential, model, client, price_version, ",
            halves!(),
            " FROM (",
            $rows,
            ")
            GROUP BY provider, credential, model, client, price_version
            ORDER BY provider, credential, model, client, price_version"
        )
    };
}

/// Sums by period what `$rows` selects: those that begin within ?1 to ?2, told apart by provider (?3), credential (?4),
/// model (?5), client (?6) and price (?7), only of one provider (?8), model (?9) and client (?10), at most ?11.
macro_rules! sum_by_period {
    ($rows:expr) => {
        concat!(
            "SELECT at_ms, iif(?3, provider, NULL), iif(?4, credential, NULL), iif(?5, model, NULL),
                iif(?6, client, NULL), iif(?7, price_version, NULL), ", halves!(), "
            FROM (", $rows, ")
            WHERE at_ms >= ?1 AND at_ms < ?2 AND (?8 IS NULL OR provider = ?8) AND (?9 IS NULL OR model = ?9)
                AND (?10 IS NULL OR client = ?10)
            GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1 DESC, 2, 3, 4, 5, 6 LIMIT ?11"
        )
    };
}

/// Selects a table of periods, and the minutes that are not rolled up into it yet. Times before 1970 there are none.
macro_rules! period_rows {
    ($table:literal, $at:literal, $length:literal) => {
        concat!(
            "SELECT ",
            $at,
            " AS at_ms, provider, credential, model, client, price_version, ",
            counters!(),
            " FROM ",
            $table,
            "
            UNION ALL SELECT minute_ms - minute_ms % ",
            $length,
            ", provider, credential, model, client, price_version, ",
            counters!(),
            "
            FROM usage_1m WHERE minute_ms >= (SELECT rolled_to_ms FROM usage_mark) AND minute_ms >= ?1"
        )
    };
}

pub(super) use {add_counters, add_to_period, counters, halves, period_rows, sum_by_key, sum_by_period};
