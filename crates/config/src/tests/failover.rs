//! `server.failover`: which combinations mean something, and which node one is.

use super::{accept, environment, places, refuse, request};
use crate::{Config, Environment, Failover, Load, Mode, Part, load_text};
use cliproxy_domain::SessionAffinity;
use std::time::Duration;

const PASSIVE: &str = include_str!("../../fixtures/guide/failover-active-passive.yaml");
const ACTIVE: &str = include_str!("../../fixtures/guide/failover-active-active.yaml");

/// Loads a text with more keys, which has to be accepted.
fn with(text: &str, overrides: &[&str]) -> Config {
    let overrides = overrides.iter().map(|&key| key.to_owned()).collect();
    let load = Load { overrides, ..request() };
    load_text("config.yaml", text, &load).unwrap_or_else(|error| panic!("refused:\n{error}"))
}

fn pair(config: &Config) -> (String, Part) {
    match config.server.failover.as_ref().map(|failover| failover.mode.clone()) {
        Some(Mode::ActivePassive { backup_url, part }) => (backup_url, part),
        other => panic!("{other:?}"),
    }
}

fn peers(config: &Config) -> Vec<String> {
    match config.server.failover.as_ref().map(|failover| failover.mode.clone()) {
        Some(Mode::ActiveActive { peers }) => peers,
        other => panic!("{other:?}"),
    }
}

fn block(keys: &str) -> String {
    format!("server: {{failover: {{{keys}}}}}")
}

#[test]
fn the_blocks_of_the_guide_mean_what_they_say() {
    let times = |config: &Config| {
        let Failover { health_check_interval, failover_timeout, .. } =
            config.server.failover.clone().unwrap();
        (health_check_interval, failover_timeout)
    };
    let passive = accept(PASSIVE);
    assert_eq!(pair(&passive), ("http://backup-proxy:8317".to_owned(), Part::Primary));
    assert_eq!(times(&passive), (Duration::from_secs(10), Duration::from_secs(30)));
    assert_eq!(passive.snapshot.policy.session_affinity, SessionAffinity::Declared);
    let active = with(ACTIVE, &["server.advertise_url=http://proxy2:8317"]);
    assert_eq!(peers(&active), ["http://proxy1:8317", "http://proxy3:8317"]);
    assert_eq!(times(&active), (Duration::from_secs(10), Duration::from_secs(30)));
    assert_eq!(active.snapshot.policy.session_affinity, SessionAffinity::Opening);
}

#[test]
fn what_is_not_enabled_does_nothing_and_has_to_be_sound_all_the_same() {
    let off = accept(&block("enabled: false, mode: active_active, peers: ['http://a', 'http://b']"));
    assert_eq!(off.server.failover, None);
    assert_eq!(off.snapshot.policy.session_affinity, SessionAffinity::Declared);
    assert_eq!(accept("server: {failover: }").server.failover, None);
    assert!(refuse(&block("enabled: false, mode: active_passive")).contains("server.failover.backup_url"));
}

#[test]
fn combinations_that_mean_nothing_are_refused_with_the_remedy() {
    let cases = [
        ("enabled: true", "`mode` is missing; write `active_passive` or `active_active`"),
        ("mode: active", "`active` is not a known mode; known are `active_passive` and `active_active`"),
        ("mode: active_passive", "write its address as `server.failover.backup_url`"),
        ("mode: active_active", "name two or more in `server.failover.peers`"),
        ("mode: active_active, peers: ['http://a']", "name two or more in `server.failover.peers`"),
        ("mode: active_active, peers: ['http://a', 'http://A:80/', 'http://b']", "this node is named twice"),
        ("mode: active_active, peers: ['a', 'http://b', 'http://c']", "this is not the address of a node"),
        (
            "mode: active_active, peers: ['http://a/x', 'http://b', 'http://c']",
            "this is not the address of a node",
        ),
        (
            "mode: active_active, backup_url: 'http://c', peers: ['http://a', 'http://b']",
            "write `mode: active_passive`",
        ),
        ("mode: active_passive, backup_url: 'http://me:hunter2@b'", "this is not the address of a node"),
        (
            "mode: active_passive, backup_url: 'http://b', failover_timeout: 9s",
            "`failover_timeout` is shorter than",
        ),
        (
            "mode: active_passive, backup_url: 'http://b', health_check_interval: 31s",
            "`failover_timeout` is shorter",
        ),
        (
            "mode: active_passive, backup_url: 'http://b', health_check_interval: 99ms",
            "is too short; write at least `100ms`",
        ),
        ("mode: active_passive, backup_url: 'http://b', failover_timeout: 25h", "is too long"),
        (
            "mode: active_passive, backup_url: 'http://b', load_balancing: hash",
            "is not a known way to spread sessions",
        ),
        (
            "mode: active_passive, backup_url: 'http://b', peers: ['http://a', 'http://b', 'http://c']",
            "a pair has two nodes",
        ),
        (
            "mode: active_passive, backup_url: 'http://b', peers: ['http://a', 'http://c']",
            "more than one beside `backup_url`; name the primary and the backup there",
        ),
        ("mode: active_passive, backup_url: 'http://127.0.0.1:8317'", "this is the node itself, which waits"),
    ];
    for (keys, expected) in cases {
        let error = refuse(&block(keys));
        assert!(error.contains(expected), "{keys}: {error}");
        assert_eq!(error.matches("config.yaml:1:").count(), 1, "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_control_plane_in_common_knows_what_the_file_does_not_say() {
    let plane = "control_plane.endpoints=['http://127.0.0.1:8319']";
    assert_eq!(peers(&with(&block("mode: active_active"), &[plane])), [""; 0]);
    assert_eq!(
        peers(&with(&block("mode: active_active"), &["control_plane.database.url=postgres://db/x"])),
        [""; 0]
    );
    let waits = with(&block("mode: active_passive, backup_url: 'http://127.0.0.1:8317'"), &[plane]);
    assert_eq!(pair(&waits).1, Part::Backup { primary_url: None });
}

#[test]
fn two_nodes_share_a_file_that_names_both() {
    let shared =
        block("mode: active_passive, backup_url: 'http://b:8317', peers: ['http://a:8317', 'http://b:8317']");
    let on = |own: &str| pair(&with(&shared, &[&format!("server.advertise_url={own}")]));
    assert_eq!(on("http://a:8317").1, Part::Primary);
    let primary_url = Some("http://a:8317".to_owned());
    assert_eq!(on("http://b:8317"), ("http://b:8317".to_owned(), Part::Backup { primary_url }));
    // Whoever is not the backup is the primary, by whichever name.
    assert_eq!(pair(&accept(&shared)).1, Part::Primary);
    let load = Load { overrides: vec!["server.advertise_url=http://c:8317".to_owned()], ..request() };
    let error = load_text("config.yaml", &shared, &load).unwrap_err().to_string();
    assert!(error.contains("names http://a:8317 beside this node and the backup"), "{error}");
}

#[test]
fn a_node_whose_advertised_address_is_not_among_the_peers_is_told_that_address() {
    let text = block("mode: active_active, peers: ['http://a:8317', 'http://b:8317']");
    let config = with(&text, &["server.advertise_url=http://c:8317"]);
    let told = config.warnings.iter().find(|it| it.contains("counts as one more")).expect("a warning");
    assert!(told.contains("add http://c:8317, or correct `server.advertise_url`"), "{told}");
}

#[test]
fn a_node_knows_itself_by_its_advertised_address_where_it_listens_or_its_machines_name() {
    let on = |listen: &str, host: &str, own: &str| {
        let mut variables = vec![("HOSTNAME", host)];
        variables.retain(|(_, value)| !value.is_empty());
        let overrides = vec![format!("server.listen={listen}")];
        let load = Load { overrides, environment: Environment::fixed(variables), ..request() };
        let text = block(&format!("mode: active_active, peers: ['{own}', 'http://other:8317']"));
        let config = load_text("config.yaml", &text, &load).unwrap();
        let knows = peers(&config) == ["http://other:8317"];
        let warned = config.warnings.iter().any(|it| it.contains("this node is not among them"));
        assert_ne!(knows, warned, "{listen} {host} {own}");
        knows
    };
    assert!(on("127.0.0.1:8317", "", "http://127.0.0.1:8317"));
    assert!(on("127.0.0.1:8317", "", "http://localhost:8317"));
    assert!(on("0.0.0.0:8317", "", "http://127.0.0.1:8317"));
    assert!(on("10.0.0.7:8317", "", "http://10.0.0.7:8317"));
    assert!(on("0.0.0.0:8317", "proxy-0", "http://proxy-0:8317"));
    assert!(on("0.0.0.0:8317", "proxy-0", "http://proxy-0.proxy.default.svc:8317"));
    assert!(!on("0.0.0.0:8317", "proxy", "http://proxy-0:8317"), "a part of a name is another name");
    assert!(!on("0.0.0.0:8317", "proxy-0", "http://proxy-0:9999"), "another port is another node");
    assert!(!on("127.0.0.1:8317", "proxy-0", "http://proxy-0:8317"), "nobody reaches it there");
    assert!(!on("10.0.0.7:8317", "", "http://127.0.0.1:8317"));
}

#[test]
fn sessions_stick_as_the_narrower_key_says_and_a_contradiction_is_refused() {
    let affinity = |balancing: &str, session: &str| {
        let mut overrides = Vec::new();
        overrides
            .extend((!balancing.is_empty()).then(|| format!("server.failover.load_balancing={balancing}")));
        let key = "server.operations.load_balancing.session_affinity";
        overrides.extend((!session.is_empty()).then(|| format!("{key}={session}")));
        let load = Load { overrides, environment: environment(), ..request() };
        let text = block("mode: active_active, peers: ['http://a', 'http://b']");
        load_text("config.yaml", &text, &load)
            .map(|config| config.snapshot.policy.session_affinity)
            .map_err(|error| error.to_string())
    };
    use SessionAffinity::{Declared, Off, Opening};
    let agreed = [
        ("", "", Opening),
        ("consistent_hash", "", Opening),
        ("round_robin", "", Off),
        ("", "declared", Declared),
        ("", "off", Off),
        ("consistent_hash", "declared", Declared),
        ("round_robin", "off", Off),
    ];
    for (balancing, session, expected) in agreed {
        assert_eq!(affinity(balancing, session), Ok(expected), "{balancing} {session}");
    }
    for (balancing, session) in
        [("consistent_hash", "off"), ("round_robin", "declared"), ("round_robin", "opening")]
    {
        let error = affinity(balancing, session).unwrap_err();
        assert!(error.contains("contradicts `server.failover.load_balancing`"), "{error}");
    }
}

#[test]
fn the_restart_is_asked_for_what_the_process_does_and_not_for_what_the_snapshot_holds() {
    let base = accept(ACTIVE);
    let round_robin = with(ACTIVE, &["server.failover.load_balancing=round_robin"]);
    assert_eq!(base.needs_restart(&round_robin), [""; 0]);
    assert_ne!(base.snapshot, round_robin.snapshot);
    let slower = with(ACTIVE, &["server.failover.failover_timeout=1m"]);
    assert_eq!(base.needs_restart(&slower), ["server.failover"]);
    assert_eq!(places(&block("mode: active_passive")).len(), 1);
}
