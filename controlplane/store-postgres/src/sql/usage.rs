//! The counters of a usage table, as every statement spells them, and the statements that all such tables have.

/// The columns, in the order of [`cliproxy_store::ledger::Sums`].
macro_rules! counters {
    () => {
        "ok, err_4xx, rate_limited, err_5xx, timeout, connect_err, cancelled, retried, latency_us,
        streams, stream_us, first_event_us, tok_in, tok_out, tok_cache_read, tok_cache_write,
        tok_reasoning, tok_estimated, cost_nanos"
    };
}

/// The columns as arrays, one parameter each.
macro_rules! counter_arrays {
    () => {
        "$1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
        $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[],
        $19::bigint[]"
    };
}

/// Adds to the counters of a row that is there. One stays at the highest number instead of passing it.
macro_rules! add_counters {
    () => {
        "ok = least(counted.ok, 9223372036854775807 - excluded.ok) + excluded.ok,
        err_4xx = least(counted.err_4xx, 9223372036854775807 - excluded.err_4xx) + excluded.err_4xx,
        rate_limited = least(counted.rate_limited, 9223372036854775807 - excluded.rate_limited) + excluded.rate_limited,
        err_5xx = least(counted.err_5xx, 9223372036854775807 - excluded.err_5xx) + excluded.err_5xx,
        timeout = least(counted.timeout, 9223372036854775807 - excluded.timeout) + excluded.timeout,
        connect_err = least(counted.connect_err, 9223372036854775807 - excluded.connect_err) + excluded.connect_err,
        cancelled = least(counted.cancelled, 9223372036854775807 - excluded.cancelled) + excluded.cancelled,
        retried = least(counted.retried, 9223372036854775807 - excluded.retried) + excluded.retried,
        latency_us = least(counted.latency_us, 9223372036854775807 - excluded.latency_us) + excluded.latency_us,
        streams = least(counted.streams, 9223372036854775807 - excluded.streams) + excluded.streams,
        stream_us = least(counted.stream_us, 9223372036854775807 - excluded.stream_us) + excluded.stream_us,
        first_event_us = least(counted.first_event_us, 9223372036854775807 - excluded.first_event_us) + excluded.first_event_us,
        tok_in = least(counted.tok_in, 9223372036854775807 - excluded.tok_in) + excluded.tok_in,
        tok_out = least(counted.tok_out, 9223372036854775807 - excluded.tok_out) + excluded.tok_out,
        tok_cache_read = least(counted.tok_cache_read, 9223372036854775807 - excluded.tok_cache_read) + excluded.tok_cache_read,
        tok_cache_write = least(counted.tok_cache_write, 9223372036854775807 - excluded.tok_cache_write) + excluded.tok_cache_write,
        tok_reasoning = least(counted.tok_reasoning, 9223372036854775807 - excluded.tok_reasoning) + excluded.tok_reasoning,
        tok_estimated = least(counted.tok_estimated, 9223372036854775807 - excluded.tok_estimated) + excluded.tok_estimated,
        cost_nanos = least(counted.cost_nanos, 9223372036854775807 - excluded.cost_nanos) + excluded.cost_nanos"
    };
}

/// Sums each counter, staying at the highest number that a row holds.
macro_rules! totals {
    () => {
        "least(sum(ok), 9223372036854775807)::bigint, least(sum(err_4xx), 9223372036854775807)::bigint,
        least(sum(rate_limited), 9223372036854775807)::bigint,
        least(sum(err_5xx), 9223372036854775807)::bigint,
        least(sum(timeout), 9223372036854775807)::bigint,
        least(sum(connect_err), 9223372036854775807)::bigint,
        least(sum(cancelled), 9223372036854775807)::bigint,
        least(sum(retried), 9223372036854775807)::bigint,
        least(sum(latency_us), 9223372036854775807)::bigint,
        least(sum(streams), 9223372036854775807)::bigint,
        least(sum(stream_us), 9223372036854775807)::bigint,
        least(sum(first_event_us), 9223372036854775807)::bigint,
        least(sum(tok_in), 9223372036854775807)::bigint,
        least(sum(tok_out), 9223372036854775807)::bigint,
        least(sum(tok_cache_read), 9223372036854775807)::bigint,
        least(sum(tok_cache_write), 9223372036854775807)::bigint,
        least(sum(tok_reasoning), 9223372036854775807)::bigint,
        least(sum(tok_estimated), 9223372036854775807)::bigint,
        least(sum(cost_nanos), 9223372036854775807)::bigint"
    };
}

/// Sums each counter in two halves, so that no sum passes 64 bits: the upper halves apart from the lower ones. The
/// program puts them together.
macro_rules! halves {
    () => {
        "sum(ok >> 32)::bigint, sum(ok & 4294967295)::bigint, sum(err_4xx >> 32)::bigint,
        sum(err_4xx & 4294967295)::bigint, sum(rate_limited >> 32)::bigint,
        sum(rate_limited & 4294967295)::bigint, sum(err_5xx >> 32)::bigint,
        sum(err_5xx & 4294967295)::bigint, sum(timeout >> 32)::bigint,
        sum(timeout & 4294967295)::bigint, sum(connect_err >> 32)::bigint,
        sum(connect_err & 4294967295)::bigint, sum(cancelled >> 32)::bigint,
        sum(cancelled & 4294967295)::bigint, sum(retried >> 32)::bigint,
        sum(retried & 4294967295)::bigint, sum(latency_us >> 32)::bigint,
        sum(latency_us & 4294967295)::bigint, sum(streams >> 32)::bigint,
        sum(streams & 4294967295)::bigint, sum(stream_us >> 32)::bigint,
        sum(stream_us & 4294967295)::bigint, sum(first_event_us >> 32)::bigint,
        sum(first_event_us & 4294967295)::bigint, sum(tok_in >> 32)::bigint,
        sum(tok_in & 4294967295)::bigint, sum(tok_out >> 32)::bigint, sum(tok_out & 4294967295)::bigint,
        sum(tok_cache_read >> 32)::bigint, sum(tok_cache_read & 4294967295)::bigint,
        sum(tok_cache_write >> 32)::bigint, sum(tok_cache_write & 4294967295)::bigint,
        sum(tok_reasoning >> 32)::bigint, sum(tok_reasoning & 4294967295)::bigint,
        sum(tok_estimated >> 32)::bigint, sum(tok_estimated & 4294967295)::bigint,
        sum(cost_nanos >> 32)::bigint, sum(cost_nanos & 4294967295)::bigint"
    };
}

/// Adds to rows of a table by the hour or day, or makes them, in the order in which they come: counters as $1 to $19,
/// then the columns of the key.
macro_rules! add_to_period {
    ($table:literal, $at:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " AS counted (",
            counters!(),
            ", ",
            $at,
            ", provider, credential, model, client, price_version)
            SELECT * FROM unnest(",
            counter_arrays!(),
            ", $20::bigint[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[])
            ON CONFLICT (",
            $at,
            ", provider, credential, model, client, price_version) DO UPDATE SET ",
            add_counters!()
        )
    };
}

/// Adds the minutes from $1 to $2 to rows of a table by the hour or day, those that begin at $3.
macro_rules! roll_into {
    ($table:literal, $at:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " AS counted (",
            $at,
            ", provider, credential, model, client, price_version, ",
            counters!(),
            ")
            SELECT $3, provider, credential, model, client, price_version, ",
            totals!(),
            "
            FROM usage_1m WHERE minute_ms >= $1 AND minute_ms < $2
            GROUP BY provider, credential, model, client, price_version
            ON CONFLICT (",
            $at,
            ", provider, credential, model, client, price_version) DO UPDATE SET ",
            add_counters!()
        )
    };
}

/// Sums by key what `$rows` selects.
macro_rules! sum_by_key {
    ($rows:expr) => {
        concat!(
            "SELECT provider, credential, model, client, price_version, ",
            halves!(),
            "
            FROM (",
            $rows,
            ") AS counted
            GROUP BY provider, credential, model, client, price_version
            ORDER BY provider, credential, model, client, price_version"
        )
    };
}

/// Sums by period what `$rows` selects: those that begin within $1 to $2, told apart by provider ($3), credential ($4),
/// model ($5), client ($6) and price ($7), only of one provider ($8), model ($9) and client ($10), at most $11.
macro_rules! sum_by_period {
    ($rows:expr) => {
        concat!(
            "SELECT at_ms, CASE WHEN $3 THEN provider END, CASE WHEN $4 THEN credential END,
                CASE WHEN $5 THEN model END, CASE WHEN $6 THEN client END, CASE WHEN $7 THEN price_version END, ",
            halves!(),
            "
            FROM (",
            $rows,
            ") AS counted
            WHERE at_ms >= $1 AND at_ms < $2 AND ($8::text IS NULL OR provider = $8)
                AND ($9::text IS NULL OR model = $9) AND ($10::text IS NULL OR client = $10)
            GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1 DESC, 2, 3, 4, 5, 6 LIMIT $11"
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
            FROM usage_1m WHERE minute_ms >= (SELECT rolled_to_ms FROM usage_mark) AND minute_ms >= $1"
        )
    };
}

pub(super) use {
    add_counters, add_to_period, counter_arrays, counters, halves, period_rows, roll_into, sum_by_key,
    sum_by_period, totals,
};
