//! All SQL of this crate but the migrations. One test prepares each statement on a migrated database.

mod limits;
mod usage;

use limits::{asked_windows, window_arrays};
use usage::{
    add_counters, add_to_period, counter_arrays, counters, halves, period_rows, roll_into, sum_by_key,
    sum_by_period, totals,
};

/// Defines constants, and `ALL` that lists them.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $sql;)*

        /// Every statement, for the test that prepares them.
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

/// What each connection is told before it is used: whatever hangs, the server ends after a while, and a commit is on disk
/// (and on the standbys that must have it) when it is answered. Several statements in one message.
pub(crate) const PREPARE_CONNECTION: &str = "SET statement_timeout = '2s'; SET lock_timeout = '500ms';
    SET idle_in_transaction_session_timeout = '2s'; SET synchronous_commit = 'on';
    SET default_transaction_isolation = 'read committed'";

statements! {
    IS_STANDBY = "SELECT pg_is_in_recovery()";
    IDENTITY = "SELECT system_identifier::text, pg_walfile_name(pg_current_wal_lsn()) FROM pg_control_system()";
    SERVER = "SELECT server FROM cp_meta";
    SET_FIRST_SERVER = "UPDATE cp_meta SET server = $2 WHERE server = $1";
    SET_SERVER = "UPDATE cp_meta SET server = $2, history_id = replace(gen_random_uuid()::text, '-', '')
        WHERE server = $1";
    ENCODING = "SELECT pg_encoding_to_char(encoding)::text FROM pg_database WHERE datname = current_database()";
    HISTORY = "SELECT history_id FROM cp_meta";
    PING = "UPDATE cp_ping SET pings = pings + 1";
    /// Rings the doorbells of all replicas, when the transaction is committed.
    RING = "SELECT pg_notify('cliproxy_log', $1)";

    TIME = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    LEAD = include_str!("../queries/lead.sql");
    LEASE = "SELECT coalesce(holder, ''), epoch,
            greatest(0, end_ms - (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
        FROM lease WHERE name = $1";
    RESIGN = "UPDATE lease SET holder = NULL WHERE name = $1 AND holder = $2 AND epoch = $3";
    /// The lock keeps the lease from going to another before the commit.
    FENCE = "SELECT epoch FROM lease WHERE name = $1 AND holder = $2 AND epoch = $3 FOR SHARE";

    ADD_POST = include_str!("../queries/add_post.sql");
    NEWEST_POST = "SELECT newest FROM post_number";
    /// At least one row, with the newest number, whether or not a post follows.
    POSTS = "SELECT n.newest, p.number, p.replica, p.body FROM post_number n LEFT JOIN
        (SELECT number, replica, body FROM post WHERE number > $1 ORDER BY number LIMIT $2) p ON TRUE
        ORDER BY p.number";

    NEWEST_CONFIG = "SELECT config_id, set_hash FROM config_version ORDER BY config_id DESC LIMIT 1";
    /// A row for each entry, and one for a configuration without any.
    ACTIVE_CONFIG = "SELECT v.config_id, v.set_hash, e.kind, e.key, e.hash
        FROM config_version v LEFT JOIN config_entry e ON e.config_id = v.config_id
        WHERE v.config_id = (SELECT max(config_id) FROM config_version) ORDER BY e.kind, e.key";
    CONFIG = "SELECT v.config_id, v.set_hash, e.kind, e.key, e.hash
        FROM config_version v LEFT JOIN config_entry e ON e.config_id = v.config_id
        WHERE v.config_id = $1 ORDER BY e.kind, e.key";
    CONFIG_TEXT = "SELECT source_text FROM config_version WHERE config_id = $1";
    CONFIGS = "SELECT config_id, set_hash, author, reason, at_ms FROM config_version ORDER BY config_id DESC LIMIT $1";
    SET_CONFIG_TEXT = "UPDATE config_version SET source_text = $2 WHERE config_id = $1
        AND source_text IS DISTINCT FROM $2";
    ADD_CONFIG = "INSERT INTO config_version (config_id, set_hash, author, reason, at_ms, source_text)
        VALUES ($1, $2, $3, $4, $5, $6)";
    ADD_CONFIG_ENTRIES = "INSERT INTO config_entry (config_id, kind, key, hash)
        SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::bigint[])";

    /// With the marks of usage, which whoever reads this has locked. Sorted, so that transactions that lock several rows
    /// take them in the same order.
    CURSORS = "SELECT c.node_id, c.incarnation, c.last_seq, c.late_before_ms, m.rolled_to_ms, m.minutes_from_ms,
            m.purged_to_ms
        FROM telemetry_cursor c
        JOIN unnest($1::text[], $2::bigint[]) AS k (node_id, incarnation)
            ON c.node_id = k.node_id AND c.incarnation = k.incarnation
        CROSS JOIN usage_mark m
        ORDER BY c.node_id, c.incarnation FOR UPDATE OF c";
    ADD_CURSORS = "INSERT INTO telemetry_cursor (node_id, incarnation, last_seq, updated_ms)
        SELECT k.node_id, k.incarnation, NULL, $3 FROM unnest($1::text[], $2::bigint[]) AS k (node_id, incarnation)
        ON CONFLICT (node_id, incarnation) DO NOTHING";
    MOVE_CURSORS = "UPDATE telemetry_cursor c
        SET last_seq = k.last_seq, late_before_ms = k.late_before_ms, updated_ms = $5
        FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
            AS k (node_id, incarnation, last_seq, late_before_ms)
        WHERE c.node_id = k.node_id AND c.incarnation = k.incarnation";
    MARKS = "SELECT rolled_to_ms, minutes_from_ms, purged_to_ms FROM usage_mark";
    ADD_MINUTES = concat!(
        "INSERT INTO usage_1m AS counted (", counters!(), ", minute_ms, provider, credential, model, client, price_version, shard)
        SELECT * FROM unnest(", counter_arrays!(), ",
            $20::bigint[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[], $26::bigint[])
        ON CONFLICT (minute_ms, provider, credential, model, client, price_version, shard) DO UPDATE SET ", add_counters!()
    );
    ADD_HOURS = add_to_period!("usage_1h", "hour_ms");
    ADD_DAYS = add_to_period!("usage_1d", "day_ms");
    ADD_LATE = add_to_period!("usage_late", "hour_ms");
    /// Of the hours that lie within the range ($3 is the first that may, $4 the end of the last) their rows, if they are
    /// rolled up; of the rest the minutes, where they are not forgotten.
    USAGE = sum_by_key!(concat!(
        "SELECT provider, credential, model, client, price_version, ", counters!(), " FROM usage_1m
        WHERE minute_ms >= greatest($1::bigint, (SELECT minutes_from_ms FROM usage_mark)) AND minute_ms < least($2::bigint, $3::bigint)
        UNION ALL SELECT provider, credential, model, client, price_version, ", counters!(), " FROM usage_1m
        WHERE minute_ms >= greatest($3::bigint, (SELECT minutes_from_ms FROM usage_mark),
                least($4::bigint, (SELECT rolled_to_ms FROM usage_mark)))
            AND minute_ms < $2
        UNION ALL SELECT provider, credential, model, client, price_version, ", counters!(), " FROM usage_1h
        WHERE hour_ms >= $1 AND hour_ms < least($2::bigint, (SELECT rolled_to_ms FROM usage_mark))
            AND (hour_ms < $4 OR hour_ms < (SELECT minutes_from_ms FROM usage_mark))"
    ));
    LATE_USAGE = sum_by_key!("SELECT * FROM usage_late WHERE hour_ms >= $1 AND hour_ms < $2");
    USAGE_BY_MINUTE = sum_by_period!(
        "SELECT *, minute_ms AS at_ms FROM usage_1m
        WHERE minute_ms >= greatest($1::bigint, (SELECT minutes_from_ms FROM usage_mark))"
    );
    USAGE_BY_HOUR = sum_by_period!(period_rows!("usage_1h", "hour_ms", "3600000"));
    USAGE_BY_DAY = sum_by_period!(period_rows!("usage_1d", "day_ms", "86400000"));
    ANSWERED_SHARE = include_str!("../queries/answered_share.sql");

    NEXT_MINUTE = "SELECT min(minute_ms) FROM usage_1m WHERE minute_ms >= $1";
    ROLL_INTO_HOURS = roll_into!("usage_1h", "hour_ms");
    ROLL_INTO_DAYS = roll_into!("usage_1d", "day_ms");
    SET_ROLLED_TO = "UPDATE usage_mark SET rolled_to_ms = $1";
    SET_MINUTES_FROM = "UPDATE usage_mark SET minutes_from_ms = $1";
    /// The oldest first, at most $2, so that a statement ends in time however many there are.
    FORGET_MINUTES = "DELETE FROM usage_1m WHERE ctid = ANY (ARRAY
        (SELECT ctid FROM usage_1m WHERE minute_ms < $1 ORDER BY minute_ms LIMIT $2))";
    FORGET_HOURS = "DELETE FROM usage_1h WHERE ctid = ANY (ARRAY
        (SELECT ctid FROM usage_1h WHERE hour_ms < $1 ORDER BY hour_ms LIMIT $2))";
    FORGET_LATE = "DELETE FROM usage_late WHERE ctid = ANY (ARRAY
        (SELECT ctid FROM usage_late WHERE hour_ms < $1 ORDER BY hour_ms LIMIT $2))";
    /// What is only there to be locked was never a cursor.
    FORGET_CURSORS = include_str!("../queries/forget_cursors.sql");
    FORGET_NODES = "DELETE FROM node WHERE last_seen_ms < $1";

    /// At least one row, with the newest version, whether or not one of these hints is known.
    HINTS_OF = "SELECT m.log_version, h.kind, h.body
        FROM cp_meta m LEFT JOIN (
            hint h JOIN unnest($1::text[], $2::text[]) AS k (kind, key) ON h.kind = k.kind AND h.key = k.key
        ) ON TRUE";
    /// At least one row, with the newest version.
    HINTS = "SELECT m.log_version, h.kind, h.body FROM cp_meta m LEFT JOIN hint h ON TRUE";
    WRITE_CHANGES = include_str!("../queries/write_changes.sql");
    FORGET_HINTS = "DELETE FROM hint WHERE settled_ms < $1";
    /// At least one row, with the newest version, whether or not a change follows.
    CHANGES = "SELECT m.log_version, l.version, l.kind, l.body FROM cp_meta m LEFT JOIN
        (SELECT version, kind, body FROM change_log WHERE version > $1 ORDER BY version LIMIT $2) l ON TRUE
        ORDER BY l.version";

    ADD_EVENTS = include_str!("../queries/add_events.sql");
    FORGET_EVENTS = "DELETE FROM event WHERE ctid = ANY (ARRAY
        (SELECT ctid FROM event WHERE at_ms < $1 ORDER BY at_ms LIMIT $2))";
    EVENT_IDS = "SELECT event_id FROM event ORDER BY event_id";

    ADD_AUDIT = include_str!("../queries/add_audit.sql");
    FORGET_AUDIT = "DELETE FROM audit WHERE at_ms < (SELECT max(at_ms) FROM audit) - $1";
    AUDIT = "SELECT audit_id, at_ms, actor, origin, action, provider, subject, reason, before_value, after_value
        FROM audit
        WHERE ($1::text IS NULL OR provider = $1) AND ($2::text IS NULL OR action = $2)
            AND ($3::bigint IS NULL OR at_ms < $3)
        ORDER BY at_ms DESC, audit_id DESC LIMIT $4";
    ADD_OUTCOME = "INSERT INTO outcome (request_id, answer, at_ms) VALUES ($1, $2, $3)
        ON CONFLICT (request_id) DO NOTHING";
    FORGET_OUTCOMES = "DELETE FROM outcome WHERE at_ms < $1";
    OUTCOME = "SELECT answer FROM outcome WHERE request_id = $1";

    /// A count stays at the highest number instead of passing it.
    ADD_CHECKS = "INSERT INTO check_1m AS counted (minute_ms, provider, checks, passed)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[])
        ON CONFLICT (minute_ms, provider) DO UPDATE SET
            checks = least(counted.checks, 9223372036854775807 - excluded.checks) + excluded.checks,
            passed = least(counted.passed, 9223372036854775807 - excluded.passed) + excluded.passed";
    FORGET_CHECKS = "DELETE FROM check_1m WHERE minute_ms < (SELECT max(minute_ms) FROM check_1m) - $1";
    /// In halves, as usage is.
    CHECKS = "SELECT provider, sum(checks >> 32)::bigint, sum(checks & 4294967295)::bigint,
            sum(passed >> 32)::bigint, sum(passed & 4294967295)::bigint
        FROM check_1m WHERE minute_ms >= $1 AND minute_ms < $2 GROUP BY provider";

    /// Whoever adds or forgets records takes this lock first.
    REQUEST_COUNT = "SELECT requests FROM request_count FOR UPDATE";
    ADD_REQUESTS = "INSERT INTO request_record (request_id, at_ms, body)
        SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[]) ON CONFLICT (request_id) DO NOTHING";
    FORGET_REQUESTS = "DELETE FROM request_record WHERE ctid = ANY (ARRAY
        (SELECT ctid FROM request_record WHERE at_ms < $1 ORDER BY at_ms LIMIT $2))";
    FORGET_OLDEST_REQUESTS = "DELETE FROM request_record WHERE request_id IN
        (SELECT request_id FROM request_record ORDER BY at_ms, request_id LIMIT $1)";
    SET_REQUEST_COUNT = "UPDATE request_count SET requests = $1";
    REQUEST = "SELECT body FROM request_record WHERE request_id = $1";

    /// Locks them in the order in which they come, then reads the clock.
    LOCK_LIMITS = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM (
            SELECT count(*) FROM (SELECT pg_advisory_xact_lock(601837, number) FROM unnest($1::integer[]) AS l (number)) AS held
        ) AS all_held";
    WINDOWS = concat!("SELECT k.place, t.ends_ms, t.limit_amount, t.settled, t.outstanding, t.told_percent ",
        asked_windows!("quota_window"));
    SET_WINDOWS = concat!("INSERT INTO quota_window (subject, owner, credential, unit, period_ms, ends_ms, limit_amount,
            settled, outstanding, told_percent)
        SELECT * FROM unnest(", window_arrays!(), ", $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
        ON CONFLICT (subject, owner, credential, unit, period_ms) DO UPDATE SET ends_ms = excluded.ends_ms,
            limit_amount = excluded.limit_amount, settled = excluded.settled, outstanding = excluded.outstanding,
            told_percent = excluded.told_percent");
    ESCROWS = concat!("SELECT k.place, t.node_id, t.incarnation, t.granted, t.spent, t.returned, t.closed_by
        FROM unnest(", window_arrays!(), ", $6::text[], $7::bigint[])
            WITH ORDINALITY AS k (subject, owner, credential, unit, period_ms, node_id, incarnation, place)
        JOIN quota_escrow AS t ON t.subject = k.subject AND t.owner = k.owner AND t.credential = k.credential
            AND t.unit = k.unit AND t.period_ms = k.period_ms AND t.node_id = k.node_id
            AND t.incarnation = k.incarnation");
    /// Of periods, who can still spend of them.
    FREE_ESCROWS = concat!("SELECT k.place, t.node_id, t.incarnation, t.granted, t.spent, t.returned, t.closed_by ",
        asked_windows!("quota_escrow"), " WHERE t.closed_by IS NULL AND t.granted - t.spent > t.returned");
    SET_ESCROWS = concat!("INSERT INTO quota_escrow (subject, owner, credential, unit, period_ms, node_id, incarnation,
            granted, spent, returned, closed_by)
        SELECT * FROM unnest(", window_arrays!(), ", $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
            $11::bigint[])
        ON CONFLICT (subject, owner, credential, unit, period_ms, node_id, incarnation) DO UPDATE SET
            granted = excluded.granted, spent = excluded.spent, returned = excluded.returned,
            closed_by = excluded.closed_by");
    RUNNING = "SELECT w.subject, w.owner, w.credential, w.unit, w.period_ms, w.ends_ms, w.limit_amount, w.settled,
            w.outstanding, w.told_percent, e.node_id, e.incarnation, e.granted, e.spent, e.returned, e.closed_by
        FROM quota_window w LEFT JOIN quota_escrow e USING (subject, owner, credential, unit, period_ms)
        WHERE w.ends_ms > $1";
    RUNNING_OF_NODE = "SELECT w.period_ms, w.ends_ms, w.limit_amount, w.settled, w.outstanding, w.told_percent, e.node_id,
            e.incarnation, e.granted, e.spent, e.returned, e.closed_by
        FROM quota_window w JOIN quota_escrow e USING (subject, owner, credential, unit, period_ms)
        WHERE w.subject = $1 AND w.owner = $2 AND w.credential = $3 AND w.unit = $4 AND w.ends_ms > $5
            AND e.node_id = $6";
    SHARES_OF = "SELECT k.place, t.node_id, t.incarnation, t.req, t.share, t.held, t.safe_share, t.demand, t.expires_ms,
            t.told_limit, t.told_ms
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
            WITH ORDINALITY AS k (subject, owner, credential, kind, place)
        JOIN rate_share AS t ON t.subject = k.subject AND t.owner = k.owner AND t.credential = k.credential
            AND t.kind = k.kind";
    SHARES = "SELECT subject, owner, credential, kind, node_id, incarnation, req, share, held, safe_share, demand,
            expires_ms, told_limit, told_ms, (extract(epoch FROM clock_timestamp()) * 1000)::bigint
        FROM rate_share";
    SET_SHARES = "INSERT INTO rate_share (subject, owner, credential, kind, node_id, incarnation, req, share, held,
            safe_share, demand, expires_ms, told_limit, told_ms)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[])
        ON CONFLICT (subject, owner, credential, kind, node_id, incarnation) DO UPDATE SET req = excluded.req,
            share = excluded.share, held = excluded.held, safe_share = excluded.safe_share, demand = excluded.demand,
            expires_ms = excluded.expires_ms, told_limit = excluded.told_limit, told_ms = excluded.told_ms";
    FORGET_SHARES_OF = "DELETE FROM rate_share t USING unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
            $6::bigint[]) AS k (subject, owner, credential, kind, node_id, incarnation)
        WHERE t.subject = k.subject AND t.owner = k.owner AND t.credential = k.credential AND t.kind = k.kind
            AND t.node_id = k.node_id AND t.incarnation = k.incarnation";
    /// By the database's clock, which shares go by: $1 is how long they are kept.
    FORGET_SHARES = "DELETE FROM rate_share WHERE ctid = ANY (ARRAY (SELECT ctid FROM rate_share
        WHERE expires_ms < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $1 LIMIT $2))";
    FORGET_ESCROWS = "DELETE FROM quota_escrow WHERE ctid = ANY (ARRAY (SELECT e.ctid
        FROM quota_escrow e JOIN quota_window w USING (subject, owner, credential, unit, period_ms)
        WHERE w.ends_ms < $1 LIMIT $2))";
    FORGET_WINDOWS = "DELETE FROM quota_window WHERE ctid = ANY (ARRAY
        (SELECT ctid FROM quota_window WHERE ends_ms < $1 LIMIT $2))";

    NODES = "SELECT node_id, incarnation, build, listen, last_seen_ms FROM node ORDER BY node_id";
    SEE_NODE = include_str!("../queries/see_node.sql");
}
