//! The reference lists what there is.

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Client, Config, Launch, PATIENCE,
    mock::{Behaviour, Hint},
    poll_until, provider,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const OPERATIONS: &str = include_str!("../../docs/reference/operations.md");

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_lists_every_metric_with_its_kind() {
    let checks = serde_json::json!({"interval": "200ms", "timeout": "100ms", "daily_budget": 1_000_000});
    let config = Config::new()
        .provider("openai", "openai", "http://127.0.0.1:9")
        .set(&["server", "operations", "health_check"], checks);
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let node = gateway.client().await;
    // A family without a series is not shown: one translated call, to a provider that is not there, makes all of them
    // that no health check and no operator's call makes.
    let body = r#"{"model":"gpt-5","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    node.post("/v1/messages", body).await;
    node.get("/v0/operations/providers/status").await;
    let checked = || async {
        let shown = families(node.get("/metrics").await.text());
        shown.contains_key("cliproxy_node_probes_total").then_some(shown)
    };
    let shown = poll_until("health check", PATIENCE, checked).await;
    let at_operators = families(Client::new(gateway.operators().await).get("/metrics").await.text());
    assert_eq!(shown, at_operators, "both planes of a process show all of its metrics");
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
    let providers = || async {
        let answer = operators.get("/v0/operations/providers/status").await.json();
        let busy = &answer["providers"]["busy"];
        (busy["in_cooldown"] == true && busy["why"].is_string()).then_some(answer)
    };
    let shown = fields(&poll_until("provider that rests", PATIENCE, providers).await);
    assert_eq!(shown, listed("How providers are doing"));
    let mut balancing = operators.get("/v0/operations/load_balancing/status").await.json();
    // It has a table of its own.
    assert!(balancing["models"]["fast"]["decision"].take().is_object());
    let listed_fields = listed("How calls are spread");
    let missing: Vec<_> =
        fields(&balancing).into_iter().filter(|field| !listed_fields.contains(field)).collect();
    assert_eq!(missing, Vec::<String>::new());
    let probes = listed("`/health` and `/ready`");
    for client in [&node, &operators] {
        for path in ["/health", "/ready"] {
            let shown = fields(&client.get(path).await.json());
            assert!(shown.is_subset(&probes), "{path} shows {shown:?}");
        }
    }
}

#[test]
fn the_reference_names_every_column_of_the_usage() {
    let table =
        include_str!("../../migrations/sqlite/0004_usage.sql").split("CREATE TABLE usage_1m (").nth(1);
    let lines = table.expect("the table").lines().skip(1).take_while(|line| !line.contains("PRIMARY KEY"));
    let columns: BTreeSet<String> =
        lines.filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect();
    assert_eq!(columns, listed("Usage"));
}

/// Gives the paths of an answer's fields, such as `models.*.targets[].model`: what is below `providers` and `models` is
/// named by the configuration.
fn fields(answer: &Value) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut left = vec![(String::new(), answer)];
    while let Some((path, value)) = left.pop() {
        match value {
            Value::Object(entries) if ["providers", "models"].contains(&path.as_str()) => {
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

/// Gives what the first column of a section's tables names.
fn listed(section: &str) -> BTreeSet<String> {
    let heading = format!("\n## {section}\n");
    let (_, rest) = OPERATIONS.split_once(&heading).unwrap_or_else(|| panic!("no section {section}"));
    let text = rest.split("\n## ").next().unwrap_or_default();
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}
