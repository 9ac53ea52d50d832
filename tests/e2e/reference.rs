//! The reference lists what there is.

use crate::CLIPROXY;
use cliproxy_testkit::{Client, Config, Launch};
use std::collections::BTreeMap;

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_lists_every_metric_with_its_kind() {
    let config = Config::new().provider("openai", "openai", "http://127.0.0.1:9");
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    // A family without a series is not shown: one call, to a provider that is not there, makes them all.
    gateway.client().await.post("/v1/chat/completions", r#"{"model":"gpt-5"}"#).await;
    let shown = families(gateway.client().await.get("/metrics").await.text());
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
