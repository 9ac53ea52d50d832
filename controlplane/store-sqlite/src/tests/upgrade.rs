//! A database of the last version, opened by this one.

use super::*;
use crate::open::{MIGRATIONS, migrator};
use cliproxy_domain::CredentialName;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

/// The steps that the last version knew.
const LAST_VERSION: usize = 4;

/// What the last version wrote: rests that go on, are over, and were spoken of by an operator; their log; an event;
/// usage; a node; a configuration.
const ROWS: &[&str] = &[
    "UPDATE cp_meta SET log_version = 12, history_id = 'the history'",
    "INSERT INTO cooldown VALUES ('claude', 'main', 0, 1771541400001, 1771541430002, 'rate_limit', 'node-1')",
    "INSERT INTO cooldown VALUES ('claude', 'ключ \"/\''' || char(10, 27), -1, 5, 6, 'quota_exhausted', '')",
    "INSERT INTO cooldown VALUES ('openai', '', 7, -1, 1771541400000, 'credential_rejected', 'node-2')",
    r#"INSERT INTO change_log VALUES (11, 'cooldown', '{"provider":"claude","credential":"main","epoch":0,
        "started_ms":1771541400001,"until_ms":1771541420000,"cause":"rate_limit","source_node":"node-1"}')"#,
    r#"INSERT INTO change_log VALUES (12, 'cooldown', '{"provider":"claude","credential":"main","epoch":0,
        "started_ms":1771541400001,"until_ms":1771541430002,"cause":"rate_limit","source_node":"node-1"}')"#,
    "INSERT INTO event VALUES ('e1', 'node-1', 'rate_limited', 'claude', 'main', 429, 30000, 0, 1771541400000)",
    "INSERT INTO usage_1m VALUES (1771541400000, 'claude', 'main', 'm', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
        15, 16)",
    "INSERT INTO telemetry_cursor VALUES ('a', 1, 5, 1771541400000)",
    "INSERT INTO node VALUES ('node-1', 3, '0.1.0', '127.0.0.1:8317', 1771541400000)",
    "INSERT INTO config_version VALUES (1, 10, 'file', '', 1771541400000)",
    "INSERT INTO config_entry VALUES (1, 1, 'claude', 10)",
];

/// Makes a database as the last version left it.
async fn of_the_last_version() -> TempDir {
    let folder = TempDir::new().unwrap();
    let options = SqliteConnectOptions::new().filename(database(folder.path())).create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    migrator(&MIGRATIONS[..LAST_VERSION]).run(&pool).await.unwrap();
    for row in ROWS {
        pool.execute(*row).await.unwrap();
    }
    pool.close().await;
    folder
}

async fn upgraded() -> Opened {
    let folder = of_the_last_version().await;
    let store = Arc::new(SqliteStore::open(&database(folder.path())).await.unwrap());
    Opened { folder, store }
}

fn first_rest(provider: &str, credential: &str) -> Cooldown {
    Cooldown {
        key: CooldownKey::credential(provider.into(), CredentialName::from(credential)),
        epoch: 0,
        started_at: WallTime(1_771_541_400_001),
        until: WallTime(1_771_541_430_002),
        cause: CooldownCause::RateLimit,
        source: "node-1".into(),
        ..cooldown()
    }
}

fn rests() -> Vec<Hint> {
    let spent = Cooldown {
        epoch: u64::MAX,
        started_at: WallTime(5),
        until: WallTime(6),
        cause: CooldownCause::QuotaExhausted,
        source: "".into(),
        ..first_rest("claude", "ключ \"/'\n\u{1b}")
    };
    let refused = Cooldown {
        epoch: 7,
        started_at: WallTime(-1),
        until: WallTime(1_771_541_400_000),
        cause: CooldownCause::CredentialRejected,
        source: "node-2".into(),
        ..first_rest("openai", "")
    };
    [first_rest("claude", "main"), spent, refused].map(Hint::Cooldown).into()
}

#[tokio::test]
async fn rests_of_the_last_version_go_on_and_so_do_their_numbers() {
    let upgraded = upgraded().await;
    let store = &upgraded.store;
    assert_eq!(store.history().await.unwrap(), HistoryId("the history".into()));
    assert_eq!(store.hints().await.unwrap(), (HintVersion(12), rests()));

    let logged = store.changes_since(HintVersion(10), 10).await.unwrap().unwrap();
    let shorter = Cooldown { until: WallTime(1_771_541_420_000), ..first_rest("claude", "main") };
    let expected = [(11, shorter), (12, first_rest("claude", "main"))]
        .map(|(version, rest)| HintChange { version: HintVersion(version), hint: Hint::Cooldown(rest) });
    assert_eq!(logged, expected);
    assert_eq!(store.changes_since(HintVersion(9), 10).await.unwrap(), None);
}

#[tokio::test]
async fn rests_of_the_last_version_merge_under_their_old_keys() {
    let upgraded = upgraded().await;
    let store = &upgraded.store;
    let again = Change { hints: rests(), ..Change::default() };
    assert_eq!(store.change(again).await.unwrap(), []);
    let mut longer = first_rest("claude", "main");
    longer.until = longer.until.plus(Duration::from_millis(1));
    let change = Change { hints: vec![Hint::Cooldown(longer.clone())], ..Change::default() };
    let numbered = HintChange { version: HintVersion(13), hint: Hint::Cooldown(longer) };
    assert_eq!(store.change(change).await.unwrap(), [numbered]);
    assert_eq!(store.hints().await.unwrap().1.len(), 3);

    // Of the three, only one is of no operator.
    store.forget_cooldowns(WallTime(i64::MAX), None).await.unwrap();
    assert_eq!(store.hints().await.unwrap().1, rests()[1..]);
}

#[tokio::test]
async fn everything_else_of_the_last_version_is_there() {
    let upgraded = upgraded().await;
    let store = &upgraded.store;
    assert_eq!(store.event_ids().await.unwrap(), ["e1"]);
    assert_eq!(
        upgraded.pragma("SELECT rest_ms || ' ' || model || '/' || age_ms FROM event").await,
        "30000 /0"
    );
    let old_table = "SELECT count(*) FROM sqlite_master WHERE name = 'cooldown'";
    assert_eq!(upgraded.pragma(old_table).await, "0");
    assert_eq!(store.nodes().await.unwrap()[0].node.as_str(), "node-1");
    assert_eq!(store.configs(10).await.unwrap()[0].author, "file");
    assert_eq!(store.active_config().await.unwrap().unwrap().entries.len(), 1);
    let cursors = store.apply_batches(report(5, 1), NOW).await.unwrap();
    assert_eq!((cursors[0].last, cursors[0].need_from), (Seq(5), None));

    let rows = store.usage(WallTime(0)..WallTime(i64::MAX)).await.unwrap();
    let attempts = AttemptCounts {
        ok: 2,
        err_4xx: 3,
        rate_limited: 4,
        err_5xx: 5,
        timeout: 6,
        connect: 7,
        cancelled: 8,
        retried: 9,
        latency_us: 10,
        ..AttemptCounts::default()
    };
    let tokens =
        TokenUsage { input: 11, output: 12, cache_read: 13, cache_write: 14, reasoning: 15, estimated: 16 };
    assert_eq!((rows[0].attempts, rows[0].tokens), (attempts, tokens));
}
