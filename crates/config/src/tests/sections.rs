//! The settings of the process: defaults and checks.

use super::{accept, refuse};
use crate::{ControlPlane, Database, Format, Level, Limits, Logging, Metrics, Output, Server};
use std::{path::PathBuf, time::Duration};

#[test]
fn an_empty_file_gives_the_defaults() {
    let config = accept("");
    let expected = Server {
        listen: "127.0.0.1:8317".parse().unwrap(),
        allow_anonymous: false,
        limits: Limits {
            max_body: 32_000_000,
            max_connections: 10_000,
            max_header_bytes: 65_536,
            client_header_timeout: Duration::from_secs(10),
            client_idle_timeout: Duration::from_secs(120),
            client_body_timeout: Duration::from_secs(30),
        },
        drain_timeout: Duration::from_secs(120),
        admin_tokens: Vec::new(),
        advertise_url: None,
        failover: None,
    };
    assert_eq!(config.server, expected);
    let expected = ControlPlane {
        listen: "127.0.0.1:8318".parse().unwrap(),
        nodes_listen: "127.0.0.1:8319".parse().unwrap(),
        endpoints: vec!["http://127.0.0.1:8319".to_owned()],
        endpoints_given: false,
        database: Database::Sqlite { path: PathBuf::from("./data/cliproxy.db") },
        tls: None,
        allow_plaintext: false,
        name: None,
        advertise_url: None,
    };
    assert_eq!(config.control_plane, expected);
    assert_eq!(config.metrics, Metrics { enabled: false, port: 9090, path: "/metrics".to_owned() });
    assert_eq!(config.logging, Logging { level: Level::Info, format: Format::Json, output: Output::Stdout });
    assert_eq!(config.snapshot.policy, cliproxy_domain::Policy::default());
    assert_eq!(config.auths_dir, PathBuf::from("./auths"));
}

#[test]
fn the_sketch_of_the_contract_gives_the_defaults_that_it_names() {
    let sketch = accept(
        "server:\n  listen: \"127.0.0.1:8317\"\n  allow_anonymous: false\n  timeouts: {connect: 5s, first_byte: 120s, idle: 120s, total: 10m}\n  retries: {max_attempts: 3, budget_percent: 20, hedge: {enabled: false}}\n  limits: {max_body: 32M, max_connections: 10000}\n",
    );
    let silent = accept("");
    assert_eq!((sketch.server, sketch.snapshot), (silent.server, silent.snapshot));
}

#[test]
fn variables_stand_for_numbers_and_booleans_too() {
    let config = accept(
        "server: {allow_anonymous: '${YES}', retries: {max_attempts: '${TEN}'}, drain_timeout: '${TEN}s'}",
    );
    assert!(config.server.allow_anonymous);
    assert_eq!(config.snapshot.policy.retries.max_attempts, 10);
    assert_eq!(config.server.drain_timeout, Duration::from_secs(10));
}

#[test]
fn the_extra_port_for_metrics_uses_the_address_of_the_server() {
    let config = accept("server: {listen: '0.0.0.0:8317'}\nmetrics: {enabled: true, port: 9100}");
    assert_eq!(config.metrics_listen(), Some("0.0.0.0:9100".parse().unwrap()));
    assert_eq!(accept("").metrics_listen(), None);
}

#[test]
fn a_port_for_metrics_without_enabling_them_is_warned_of() {
    assert!(
        accept("metrics: {port: 9100}").warnings[0].contains("no effect without `metrics.enabled: true`")
    );
    assert!(accept("metrics: {port: 9100, enabled: false}").warnings.is_empty());
}

#[test]
fn listeners_share_a_port_only_when_they_cannot_meet() {
    accept(
        "server: {listen: '127.0.0.1:0'}\ncontrol_plane: {listen: '127.0.0.1:0', nodes_listen: '127.0.0.1:0'}",
    );
    accept("server: {listen: '127.0.0.2:8318'}");
    assert!(refuse("server: {listen: '0.0.0.0:8318'}").contains("take the same port"));
    assert!(refuse("control_plane: {listen: '127.0.0.1:8319'}").contains("take the same port"));
}

#[test]
fn admin_tokens_are_sums_with_unique_names() {
    let sum = "AB".repeat(32);
    let config = accept(&format!(
        "server: {{operations: {{admin_tokens: [{{name: ops, role: operator, sha256: {sum}}}]}}}}"
    ));
    assert_eq!(config.server.admin_tokens[0].sha256, [0xab; 32]);
    let cases = [
        "[{name: ops, sha256: abc}]".to_owned(),
        format!("[{{sha256: {sum}}}]"),
        "[{name: ops}]".to_owned(),
        format!("[{{name: ops, role: root, sha256: {sum}}}]"),
        format!("[{{name: ops, sha256: {sum}}}, {{name: ops, sha256: {sum}}}]"),
    ];
    let expected = [
        "expected 64 hexadecimal digits",
        "`name` is missing",
        "`sha256` is missing",
        "`root` is not a known role",
        "another token has this name",
    ];
    for (tokens, expected) in cases.iter().zip(expected) {
        let error = refuse(&format!("server: {{operations: {{admin_tokens: {tokens}}}}}"));
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_value_out_of_its_range_is_refused() {
    let cases = [
        "server: {retries: {max_attempts: 0}}",
        "server: {retries: {max_attempts: 11}}",
        "server: {retries: {max_attempts: '3'}}",
        "server: {limits: {max_connections: 0}}",
        "server: {limits: {max_connections: -1}}",
        "server: {limits: {max_body: 0}}",
        "server: {limits: {max_header_bytes: 2MiB}}",
        "server: {timeouts: {connect: -5s}}",
        "server: {timeouts: {connect: 30s, total: 20s}}",
        "server: {listen: 'localhost:8317'}",
        "server: {listen: '8317'}",
        "server: {allow_anonymous: yes}",
        "metrics: {port: 65536}",
        "metrics: {port: 0}",
        "metrics: {path: metrics}",
        "logging: {level: verbose}",
        "logging: {output: /var/log/}",
        "control_plane: {endpoints: []}",
        "control_plane: {endpoints: ['127.0.0.1:8319']}",
        "control_plane: {endpoints: ['http://x/path']}",
    ];
    for text in cases {
        let error = refuse(text);
        assert_eq!(error.matches("config.yaml:1:").count(), 1, "{error}");
    }
}

#[test]
fn anchors_and_merge_keys_work() {
    let config = accept(
        "providers:\n  claude: {timeouts: &slow {idle: 9s}}\n  openai: {timeouts: {<<: *slow, connect: 1s}}\n",
    );
    let timeouts = config.snapshot.providers["openai"].timeouts;
    assert_eq!((timeouts.idle, timeouts.connect), (Duration::from_secs(9), Duration::from_secs(1)));
}
