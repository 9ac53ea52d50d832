//! All SQL of this crate but the migrations. One test prepares each statement on a migrated database.

mod counters;
mod limits;

use counters::{add_counters, add_to_period, counters, halves, period_rows, sum_by_key, sum_by_period};
use limits::{asked, cells};

/// Defines constants, and `ALL` that lists them.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $sql;)*

        /// Every statement, for the test that prepares them.
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

statements! {
    SCHEMA = "SELECT max(version) FROM _sqlx_migrations";
    HISTORY = "SELECT history_id FROM cp_meta";
    PING = "UPDATE cp_meta SET pings = pings + 1";

    ACTIVE_CONFIG = "SELECT config_id, set_hash FROM config_version ORDER BY config_id DESC LIMIT 1";
    CONFIG = "SELECT config_id, set_hash FROM config_version WHERE config_id = ?1";
    CONFIGS = "SELECT config_id, set_hash, author, reason, at_ms FROM config_version ORDER BY config_id DESC LIMIT ?1";
    CONFIG_ENTRIES = "SELECT kind, key, hash FROM config_entry WHERE config_id = ?1 ORDER BY kind, key";
    CONFIG_TEXT = "SELECT source_text FROM config_version WHERE config_id = ?1";
    SET_CONFIG_TEXT = "UPDATE config_version SET source_text = ?2 WHERE config_id = ?1 AND source_text IS NOT ?2";
    ADD_CONFIG = "INSERT INTO config_version (config_id, set_hash, author, reason, at_ms, source_text)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    ADD_CONFIG_ENTRY = "INSERT INTO config_entry (config_id, kind, key, hash) VALUES (?1, ?2, ?3, ?4)";

    CURSOR = "SELECT last_seq, late_before_ms FROM telemetry_cursor WHERE node_id = ?1 AND incarnation = ?2";
    MOVE_CURSOR = "INSERT INTO telemetry_cursor (node_id, incarnation, last_seq, late_before_ms, updated_ms)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (node_id, incarnation) DO UPDATE SET last_seq = excluded.last_seq, updated_ms = excluded.updated_ms";
    ADD_MINUTE = concat!(
        "INSERT INTO usage_1m (minute_ms, provider, credential, model, client, price_version, shard, ", counters!(), ")
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
            ?24, ?25, ?26)
        ON CONFLICT (minute_ms, provider, credential, model, client, price_version, shard) DO UPDATE SET ", add_counters!()
    );
    ADD_HOUR = add_to_period!("usage_1h", "hour_ms");
    ADD_DAY = add_to_period!("usage_1d", "day_ms");
    ADD_LATE = add_to_period!("usage_late", "hour_ms");
    /// Hours stand in for the minutes that are forgotten.
    USAGE = sum_by_key!(concat!(
        "SELECT provider, credential, model, client, price_version, ", counters!(), " FROM usage_1m WHERE minute_ms >= ?1 AND minute_ms < ?2
        UNION ALL SELECT provider, credential, model, client, price_version, ", counters!(), "
        FROM usage_1h WHERE hour_ms >= ?1 AND hour_ms < min(?2, (SELECT minutes_from_ms FROM usage_mark))"
    ));
    LATE_USAGE = sum_by_key!("SELECT * FROM usage_late WHERE hour_ms >= ?1 AND hour_ms < ?2");
    USAGE_BY_MINUTE = sum_by_period!("SELECT *, minute_ms AS at_ms FROM usage_1m");
    USAGE_BY_HOUR = sum_by_period!(period_rows!("usage_1h", "hour_ms", "3600000"));
    USAGE_BY_DAY = sum_by_period!(period_rows!("usage_1d", "day_ms", "86400000"));
    ANSWERED_SHARE = include_str!("../queries/answered_share.sql");

    MARKS = "SELECT rolled_to_ms, minutes_from_ms, purged_to_ms FROM usage_mark";
    SET_MARKS = "UPDATE usage_mark SET rolled_to_ms = ?1, minutes_from_ms = ?2, purged_to_ms = ?3";
    NEXT_MINUTE = "SELECT min(minute_ms) FROM usage_1m WHERE minute_ms >= ?1";
    FORGET_MINUTES = "DELETE FROM usage_1m WHERE minute_ms < ?1";
    FORGET_HOURS = "DELETE FROM usage_1h WHERE hour_ms < ?1";
    FORGET_LATE = "DELETE FROM usage_late WHERE hour_ms < ?1";
    /// A node that is heard of keeps the cursor of its process, however long it had nothing to report. Looks at all, for
    /// which there is no index: they are few, this runs seldom, and a cursor moves each second.
    PURGE_CURSORS = "DELETE FROM telemetry_cursor WHERE updated_ms < ?1 AND NOT EXISTS (
            SELECT 1 FROM node WHERE node.node_id = telemetry_cursor.node_id
                AND node.incarnation = telemetry_cursor.incarnation AND node.last_seen_ms >= ?1)
        RETURNING updated_ms";
    PURGE_NODES = "DELETE FROM node WHERE last_seen_ms < ?1";

    HINT_VERSION = "SELECT log_version FROM cp_meta";
    SET_HINT_VERSION = "UPDATE cp_meta SET log_version = ?1";
    HINT = "SELECT kind, body FROM hint WHERE kind = ?1 AND key = ?2";
    HINTS = "SELECT kind, body FROM hint";
    SET_HINT = "INSERT INTO hint (kind, key, body, settled_ms) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body, settled_ms = excluded.settled_ms";
    FORGET_HINTS = "DELETE FROM hint WHERE settled_ms < ?1";
    ADD_CHANGE = "INSERT INTO change_log (version, kind, body) VALUES (?1, ?2, ?3)";
    FORGET_CHANGES = "DELETE FROM change_log WHERE version <= ?1";
    CHANGES = "SELECT version, kind, body FROM change_log WHERE version > ?1 ORDER BY version LIMIT ?2";

    /// `rest_ms` is of earlier versions.
    ADD_EVENT = "INSERT INTO event (event_id, node_id, kind, provider, credential, model, about_model, http_status,
            error_type, hint_ms, seen_epoch, age_ms, rest_scope, rest_round, rest_ms, at_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 0, ?15) ON CONFLICT (event_id) DO NOTHING";
    FORGET_EVENTS = "DELETE FROM event WHERE at_ms < ?1";
    EVENT_IDS = "SELECT event_id FROM event ORDER BY event_id";

    ADD_AUDIT = "INSERT INTO audit (audit_id, at_ms, actor, origin, action, provider, subject, reason, before_value,
            after_value)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (audit_id) DO NOTHING";
    NEWEST_AUDIT = "SELECT max(at_ms) FROM audit";
    FORGET_AUDIT = "DELETE FROM audit WHERE at_ms < ?1";
    AUDIT = "SELECT audit_id, at_ms, actor, origin, action, provider, subject, reason, before_value, after_value
        FROM audit
        WHERE (?1 IS NULL OR provider = ?1) AND (?2 IS NULL OR action = ?2) AND (?3 IS NULL OR at_ms < ?3)
        ORDER BY at_ms DESC, audit_id DESC LIMIT ?4";
    ADD_OUTCOME = "INSERT INTO outcome (request_id, answer, at_ms) VALUES (?1, ?2, ?3)
        ON CONFLICT (request_id) DO NOTHING";
    FORGET_OUTCOMES = "DELETE FROM outcome WHERE at_ms < ?1";
    OUTCOME = "SELECT answer FROM outcome WHERE request_id = ?1";

    /// A count stays at the highest number instead of passing it.
    ADD_CHECKS = "INSERT INTO check_1m (minute_ms, provider, checks, passed) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (minute_ms, provider) DO UPDATE SET
            checks = min(checks, 9223372036854775807 - excluded.checks) + excluded.checks,
            passed = min(passed, 9223372036854775807 - excluded.passed) + excluded.passed";
    NEWEST_CHECK = "SELECT max(minute_ms) FROM check_1m";
    FORGET_CHECKS = "DELETE FROM check_1m WHERE minute_ms < ?1";
    /// In halves, as usage is.
    CHECKS = "SELECT provider, sum(checks >> 32), sum(checks & 4294967295), sum(passed >> 32), sum(passed & 4294967295)
        FROM check_1m WHERE minute_ms >= ?1 AND minute_ms < ?2 GROUP BY provider";

    ADD_REQUEST = "INSERT INTO request_record (request_id, at_ms, body) VALUES (?1, ?2, ?3)
        ON CONFLICT (request_id) DO NOTHING";
    FORGET_REQUESTS = "DELETE FROM request_record WHERE at_ms < ?1";
    FORGET_OLDEST_REQUESTS = "DELETE FROM request_record WHERE request_id IN
        (SELECT request_id FROM request_record ORDER BY at_ms, request_id LIMIT ?1)";
    COUNT_REQUESTS = "UPDATE cp_meta SET requests = requests + ?1 RETURNING requests";
    REQUEST = "SELECT body FROM request_record WHERE request_id = ?1";

    /// By the database's clock, in milliseconds.
    NOW = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
    LEASE = "SELECT holder, epoch, end_ms FROM lease WHERE name = ?1";
    SET_LEASE = "INSERT INTO lease (name, holder, epoch, end_ms) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = excluded.epoch, end_ms = excluded.end_ms";

    WINDOWS = concat!("SELECT k.key, t.ends_ms, t.limit_amount, t.settled, t.outstanding, t.told_percent",
        asked!("quota_window", "unit", "period_ms" = 4));
    WINDOWS_OF = "SELECT period_ms, ends_ms, limit_amount, settled, outstanding, told_percent FROM quota_window
        WHERE subject = ?1 AND owner = ?2 AND credential = ?3 AND unit = ?4 AND ends_ms > ?5 ORDER BY period_ms";
    RUNNING_WINDOWS = "SELECT subject, owner, credential, unit, period_ms, ends_ms, limit_amount, settled, outstanding,
            told_percent
        FROM quota_window WHERE ends_ms > ?1";
    SET_WINDOWS = concat!("INSERT INTO quota_window (subject, owner, credential, unit, period_ms, ends_ms, limit_amount,
            settled, outstanding, told_percent)
        SELECT ", cells!(0 1 2 3 4 5 6 7 8 9), " WHERE true
        ON CONFLICT (subject, owner, credential, unit, period_ms) DO UPDATE SET ends_ms = excluded.ends_ms,
            limit_amount = excluded.limit_amount, settled = excluded.settled, outstanding = excluded.outstanding,
            told_percent = excluded.told_percent");
    ESCROWS = concat!("SELECT k.key, t.node_id, t.incarnation, t.granted, t.spent, t.returned, t.closed_by",
        asked!("quota_escrow", "unit", "period_ms" = 4, "node_id" = 5, "incarnation" = 6));
    /// Of periods, who can still spend of them.
    FREE_ESCROWS = concat!("SELECT k.key, t.node_id, t.incarnation, t.granted, t.spent, t.returned, t.closed_by",
        asked!("quota_escrow", "unit", "period_ms" = 4), " WHERE t.closed_by IS NULL AND t.granted - t.spent > t.returned");
    ESCROWS_OF_NODE = "SELECT node_id, incarnation, granted, spent, returned, closed_by FROM quota_escrow
        WHERE subject = ?1 AND owner = ?2 AND credential = ?3 AND unit = ?4 AND period_ms = ?5 AND node_id = ?6";
    RUNNING_ESCROWS = "SELECT e.subject, e.owner, e.credential, e.unit, e.period_ms, e.node_id, e.incarnation, e.granted,
            e.spent, e.returned, e.closed_by
        FROM quota_escrow e JOIN quota_window w USING (subject, owner, credential, unit, period_ms)
        WHERE w.ends_ms > ?1";
    SET_ESCROWS = concat!("INSERT INTO quota_escrow (subject, owner, credential, unit, period_ms, node_id, incarnation,
            granted, spent, returned, closed_by)
        SELECT ", cells!(0 1 2 3 4 5 6 7 8 9 10), " WHERE true
        ON CONFLICT (subject, owner, credential, unit, period_ms, node_id, incarnation) DO UPDATE SET
            granted = excluded.granted, spent = excluded.spent, returned = excluded.returned,
            closed_by = excluded.closed_by");
    FORGET_ESCROWS = "DELETE FROM quota_escrow
        WHERE (subject, owner, credential, unit, period_ms)
            IN (SELECT subject, owner, credential, unit, period_ms FROM quota_window WHERE ends_ms < ?1)";
    FORGET_WINDOWS = "DELETE FROM quota_window WHERE ends_ms < ?1";
    SHARES_OF = concat!("SELECT k.key, t.node_id, t.incarnation, t.req, t.share, t.held, t.safe_share, t.demand,
            t.expires_ms, t.told_limit, t.told_ms", asked!("rate_share", "kind"));
    SHARES = "SELECT subject, owner, credential, kind, node_id, incarnation, req, share, held, safe_share, demand,
            expires_ms, told_limit, told_ms
        FROM rate_share";
    SET_SHARES = concat!("INSERT INTO rate_share (subject, owner, credential, kind, node_id, incarnation, req, share, held,
            safe_share, demand, expires_ms, told_limit, told_ms)
        SELECT ", cells!(0 1 2 3 4 5 6 7 8 9 10 11 12 13), " WHERE true
        ON CONFLICT (subject, owner, credential, kind, node_id, incarnation) DO UPDATE SET req = excluded.req,
            share = excluded.share, held = excluded.held, safe_share = excluded.safe_share, demand = excluded.demand,
            expires_ms = excluded.expires_ms, told_limit = excluded.told_limit, told_ms = excluded.told_ms");
    FORGET_SHARES_OF = concat!("DELETE FROM rate_share WHERE (subject, owner, credential, kind, node_id, incarnation)
        IN (SELECT ", cells!(0 1 2 3 4 5), ")");
    FORGET_SHARES = "DELETE FROM rate_share WHERE expires_ms < ?1";

    ADD_POST = "INSERT INTO post (number, replica, body) VALUES (?1, ?2, ?3)";
    NEWEST_POST = "SELECT coalesce(max(number), 0) FROM post";
    POSTS = "SELECT number, replica, body FROM post WHERE number > ?1 ORDER BY number LIMIT ?2";
    FORGET_POSTS = "DELETE FROM post WHERE number <= ?1";

    NODE = "SELECT node_id, incarnation, build, listen, last_seen_ms FROM node WHERE node_id = ?1";
    NODES = "SELECT node_id, incarnation, build, listen, last_seen_ms FROM node ORDER BY node_id";
    SET_NODE = "INSERT INTO node (node_id, incarnation, build, listen, last_seen_ms) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (node_id) DO UPDATE SET incarnation = excluded.incarnation, build = excluded.build,
            listen = excluded.listen, last_seen_ms = excluded.last_seen_ms";
}
