//! All SQL of this crate but the migrations. One test prepares each statement on a migrated database.

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
    CONFIG_ENTRIES = "SELECT kind, key, hash FROM config_entry WHERE config_id = ?1 ORDER BY kind, key";
    ADD_CONFIG = "INSERT INTO config_version (config_id, set_hash, author, reason, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
    ADD_CONFIG_ENTRY = "INSERT INTO config_entry (config_id, kind, key, hash) VALUES (?1, ?2, ?3, ?4)";

    CURSOR = "SELECT last_seq FROM telemetry_cursor WHERE node_id = ?1 AND incarnation = ?2";
    MOVE_CURSOR = "INSERT INTO telemetry_cursor (node_id, incarnation, last_seq, updated_ms) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (node_id, incarnation) DO UPDATE SET last_seq = excluded.last_seq, updated_ms = excluded.updated_ms";
    ADD_USAGE = include_str!("../queries/add_usage.sql");
    USAGE = include_str!("../queries/usage.sql");
    ANSWERED_SHARE = include_str!("../queries/answered_share.sql");

    HINT_VERSION = "SELECT log_version FROM cp_meta";
    SET_HINT_VERSION = "UPDATE cp_meta SET log_version = ?1";
    COOLDOWN = "SELECT provider, credential, epoch, started_ms, until_ms, cause, source_node FROM cooldown
        WHERE provider = ?1 AND credential = ?2";
    COOLDOWNS = "SELECT provider, credential, epoch, started_ms, until_ms, cause, source_node FROM cooldown
        WHERE until_ms > ?1 ORDER BY provider, credential";
    SET_COOLDOWN = "INSERT INTO cooldown (provider, credential, epoch, started_ms, until_ms, cause, source_node)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (provider, credential) DO UPDATE SET epoch = excluded.epoch, started_ms = excluded.started_ms,
            until_ms = excluded.until_ms, cause = excluded.cause, source_node = excluded.source_node";
    ADD_CHANGE = "INSERT INTO change_log (version, kind, body) VALUES (?1, ?2, ?3)";
    FORGET_CHANGES = "DELETE FROM change_log WHERE version <= ?1";
    CHANGES = "SELECT version, kind, body FROM change_log WHERE version > ?1 ORDER BY version LIMIT ?2";

    ADD_EVENT = "INSERT INTO event (event_id, node_id, kind, provider, credential, http_status, rest_ms, seen_epoch, at_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (event_id) DO NOTHING";
    FORGET_EVENTS = "DELETE FROM event WHERE at_ms < ?1";
    EVENT_IDS = "SELECT event_id FROM event ORDER BY event_id";

    NODE = "SELECT node_id, incarnation, build, listen, last_seen_ms FROM node WHERE node_id = ?1";
    NODES = "SELECT node_id, incarnation, build, listen, last_seen_ms FROM node ORDER BY node_id";
    SET_NODE = "INSERT INTO node (node_id, incarnation, build, listen, last_seen_ms) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (node_id) DO UPDATE SET incarnation = excluded.incarnation, build = excluded.build,
            listen = excluded.listen, last_seen_ms = excluded.last_seen_ms";
}
