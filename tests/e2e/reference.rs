//! The reference lists what there is.

use crate::{CLIPROXY, apis::Api, tls::Certificates};
use cliproxy_testkit::{
    Client, Config, Launch, PATIENCE,
    mock::{Behaviour, Hint},
    poll_until, provider,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The key of a client.
const KEY: &str = "cpk_reference";
/// Its SHA-256.
const KEY_SHA256: &str = "2435916086e626f974a91099ea1f1b6a2d16ab05945e6033aba99344c845f7c2";

const OPERATIONS: &str = include_str!("../../docs/reference/operations.md");

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_lists_every_metric_with_its_kind() {
    let checks = json!({"interval": "200ms", "timeout": "100ms"});
    let well = provider("well", Behaviour::Answer);
    let client =
        json!({"name": "ci", "keys": [{"sha256": KEY_SHA256}], "rate_limit": {"requests_per_minute": 60}});
    let config = Config::new()
        .provider("openai", "openai", "http://127.0.0.1:9")
        // A check that comes first would keep the call from failing.
        .set(&["providers", "openai", "health_check"], json!({"enabled": false}))
        .provider("well", "openai", &well.base_url())
        .set(&["providers", "well", "quota"], json!({"limit": 1_000_000, "reset": "daily"}))
        .set(&["providers", "well", "cost_per_1k_tokens"], json!({"input": 1, "output": 2}))
        .set(&["clients"], json!([client]))
        .set(&["server", "operations", "health_check"], checks)
        .set(&["server", "failover"], json!({"mode": "active_passive", "backup_url": "http://127.0.0.1:9"}));
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;
    // A family without a series is not shown. One translated call to a provider that is not there, one to another, a
    // call of an operator, and the first health check make them all.
    let body = r#"{"model":"openai/gpt-5","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    for body in [body.to_owned(), body.replace("openai/", "well/")] {
        let call = client.json("/v1/messages", body).header("authorization", format!("Bearer {KEY}"));
        call.send().await.expect("an answer");
    }
    client.get("/v0/operations/providers/status").await;
    let checked = || async {
        let shown = families(client.get("/metrics").await.text());
        // An error is counted when its answer is written out, perhaps a moment after the client has it.
        let all = ["cliproxy_node_probes_total", "cliproxy_errors_total"];
        all.iter().all(|family| shown.contains_key(*family)).then_some(shown)
    };
    let shown = poll_until("health check", PATIENCE, checked).await;
    let at_operators = families(Client::new(gateway.operators().await).get("/metrics").await.text());
    assert_eq!(shown, at_operators, "both planes of a process show all of its metrics");
    // Between two processes there may be certificates as well.
    let certificates = Certificates::make(&["n1"]).await;
    let control = certificates.control_plane(Config::new()).await;
    let apart = certificates.node("n1", control.nodes().await);
    let and_between = || async {
        let mut all = shown.clone();
        for process in [apart.address().await, control.operators().await] {
            all.extend(families(Client::new(process).get("/metrics").await.text()));
        }
        all.contains_key("cliproxy_tls_handshakes_total").then_some(all)
    };
    let shown = poll_until("a handshake", PATIENCE, and_between).await;
    let page = include_str!("../../docs/reference/metrics.md");
    let listed: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|');
            Some((cells.next()?.trim().trim_matches('`'), cells.next()?.trim()))
        })
        .collect();
    let shown: BTreeMap<&str, &str> = shown.iter().map(|(name, kind)| (&**name, &**kind)).collect();
    assert_eq!(shown, listed);
}

fn families(text: &str) -> BTreeMap<String, String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_names_every_field_of_the_operations_endpoints() {
    // A provider that rests shows the fields that are absent otherwise.
    let busy = provider("busy", Behaviour::rate_limit(Hint { retry_after_s: Some(600), ..Hint::default() }));
    let config = Config::new().provider("busy", "openai", &busy.base_url()).alias("fast", &[("busy", "m")]);
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let node = gateway.client().await;
    let (path, body) = Api::Chat.request("fast", false);
    assert_eq!(node.post(&path, body).await.status, 429);
    let operators = Client::new(gateway.operators().await);
    for client in [&node, &operators] {
        for (path, described, sign) in described() {
            let answer = || async {
                let answer = client.get(path).await.json();
                (answer["source"] == "cluster" && !answer.pointer(sign).is_none_or(Value::is_null))
                    .then_some(answer)
            };
            let shown = fields(&poll_until(&format!("{sign} in {path}"), PATIENCE, answer).await);
            let unknown: Vec<_> = shown.difference(&described).collect();
            assert!(unknown.is_empty(), "{path} shows {unknown:?}");
        }
        let probes = listed("`/health` and `/ready`", "field");
        for path in ["/health", "/ready"] {
            let shown = fields(&client.get(path).await.json());
            assert!(shown.is_subset(&probes), "{path} shows {shown:?}");
        }
    }
    let shown = fields(&node.get("/v0/operations/failover").await.json());
    assert!(shown.is_subset(&listed("Other nodes, as a node sees them", "field")), "{shown:?}");
}

/// Paths that operators read, with the fields that the page describes, and one that is shown of what rests.
fn described() -> [(&'static str, BTreeSet<String>, &'static str); 4] {
    let below = |place: &str, names: BTreeSet<String>| -> BTreeSet<String> {
        names.iter().map(|name| format!("{place}.{name}")).collect()
    };
    let rest = listed("What rests", "field of a rest");
    let mut rests = listed("What rests", "field");
    rests.extend(below("resting.*", rest.clone()));
    rests.extend(below("history[]", rest));
    rests.insert("cooldown_periods".to_owned());
    let decision = listed("Where a request would go", "field");
    let mut spread = listed("How calls are spread", "field");
    spread.extend(below("models.*", decision.clone()));
    [
        (
            "/v0/operations/providers/status",
            listed("How providers are doing", "field"),
            "/providers/busy/cooldown_reason",
        ),
        ("/v0/operations/cooldown/status", rests, "/resting/busy~1default/hint_seconds"),
        ("/v0/operations/load_balancing/status", spread, "/providers/busy/until"),
        ("/v0/operations/explain?model=fast", decision, "/decision/soonest"),
    ]
}

#[test]
fn the_reference_names_every_column_of_the_usage() {
    let table =
        include_str!("../../migrations/sqlite/0015_usage_client.sql").split("CREATE TABLE usage_1m (").nth(1);
    let lines = table.expect("the table").lines().skip(1).take_while(|line| !line.contains("PRIMARY KEY"));
    let columns: BTreeSet<String> =
        lines.filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect();
    assert_eq!(columns, listed("Usage", "column"));
}

/// Members whose own members are named by the configuration, and not by us.
const NAMED_BY_THE_CONFIGURATION: [&str; 4] = ["providers", "models", "resting", "cooldown_periods"];

/// Gives the paths of an answer's fields, such as `models.*.targets[].model`.
fn fields(answer: &Value) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut left = vec![(String::new(), answer)];
    while let Some((path, value)) = left.pop() {
        match value {
            Value::Object(entries) if NAMED_BY_THE_CONFIGURATION.contains(&path.as_str()) => {
                paths.insert(path.clone());
                left.extend(entries.values().map(|entry| (format!("{path}.*"), entry)));
            }
            Value::Object(entries) => {
                let below =
                    |name: &String| if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                left.extend(entries.iter().map(|(name, value)| (below(name), value)));
            }
            Value::Array(items) => {
                paths.insert(format!("{path}[]"));
                left.extend(items.iter().map(|item| (format!("{path}[]"), item)));
            }
            _ => {
                paths.insert(path);
            }
        }
    }
    paths
}

/// Gives what the first column names in those of a section's tables that are of this: its heading.
fn listed(section: &str, of: &str) -> BTreeSet<String> {
    let heading = format!("\n## {section}\n");
    let (_, rest) = OPERATIONS.split_once(&heading).unwrap_or_else(|| panic!("no section {section}"));
    let text = rest.split("\n## ").next().unwrap_or_default();
    let start = format!("| {of} |");
    let tables = text.split("\n\n").filter(|table| table.trim_start().starts_with(&start));
    let cells = tables.flat_map(str::lines).filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let names: BTreeSet<_> =
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    assert!(!names.is_empty(), "{section} describes no {of}");
    names
}
