//! What a provider says of a credential's rate, in the headers of its answers.

use super::fixture::{Outcome, answer_of, answer_with, answers, ask, calls, layout, nodes_of};
use cliproxy_testkit::{Client, Cluster, Layout, PATIENCE, mock::Rule, now, poll_until};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;

const NODES: usize = 3;
const SHARE: &str = "cliproxy_quota_share";
const OF: [(&str, &str); 2] = [("subject", "credential up/main"), ("kind", "requests_per_minute")];

/// Nodes with a credential that may be used 600 times a minute, as its owner believes.
fn limited() -> Layout {
    let credential = json!({
        "name": "main",
        "api_key": "${KEY_MAIN}",
        "rate_limit": {"requests_per_minute": 600},
    });
    layout().nodes(NODES).set(&["providers", "up", "credentials"], json!([credential]))
}

/// Answers that say so much of requests in a minute: the limit, what is left of it, and when it is full again.
fn saying(limit: u64, remaining: u64, reset: &str) -> Rule {
    let mut rule = answers(Duration::ZERO);
    rule.reply.headers = [
        ("x-ratelimit-limit-requests", limit.to_string()),
        ("x-ratelimit-remaining-requests", remaining.to_string()),
        ("x-ratelimit-reset-requests", reset.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    rule
}

/// Asks until it is answered: before a node has heard of its share it says that it has none.
async fn is_answered(node: &Client) {
    let answered = || async { (ask(node, None).await == Outcome::Answered).then_some(()) };
    poll_until("answer", PATIENCE, answered).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_limit_that_the_provider_names_to_one_node_holds_for_all_of_them() {
    const SAID: u64 = 30;
    let cluster = Cluster::start(limited()).await;
    answer_with(&cluster, saying(SAID, SAID, "1s"));
    let (nodes, began) = (nodes_of(&cluster), now());
    is_answered(&nodes[0]).await;
    let all_know = || async {
        let mut shares = 0.0;
        for node in &cluster.nodes {
            shares += node.metrics().await.sum(SHARE, &OF);
        }
        (shares <= SAID as f64).then_some(())
    };
    poll_until("shares of what the provider said", PATIENCE, all_know).await;
    let patience = Duration::from_secs(30);
    while calls(&cluster.mock) < SAID && now() - began < patience {
        for outcome in join_all(nodes.iter().flat_map(|node| (0..10).map(move |_| ask(node, None)))).await {
            assert!(
                outcome == Outcome::Answered || outcome.is_refused_with("rate_limit_exceeded"),
                "{outcome:?}"
            );
        }
    }
    let (calls, took) = (calls(&cluster.mock), now() - began);
    println!("{calls} calls of {SAID} in {took:?}, where 600 were configured");
    assert!(took < Duration::from_secs(60), "within one minute");
    assert!((SAID - SAID / 5..=SAID).contains(&calls), "{calls} of {SAID}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_left_nothing_is_sent_until_the_providers_window_ends() {
    const WINDOW: Duration = Duration::from_secs(4);
    let cluster = Cluster::start(limited()).await;
    answer_with(&cluster, saying(600, 600, "1s"));
    let nodes = nodes_of(&cluster);
    join_all(nodes.iter().map(is_answered)).await;
    answer_with(&cluster, saying(600, 0, "4s"));
    let began = now();
    for node in &nodes {
        assert_eq!(ask(node, None).await, Outcome::Answered);
    }
    let sent = calls(&cluster.mock);
    for node in &nodes {
        let refused = answer_of(node, None).await.expect("an answer");
        let wait: u64 = refused.header("retry-after").parse().expect("whole seconds");
        assert!((1..=WINDOW.as_secs()).contains(&wait), "{wait}");
        assert!(Outcome::from(refused).is_refused_with("rate_limit_exceeded"));
    }
    assert!(now() - began < WINDOW, "the window still runs");
    assert_eq!(calls(&cluster.mock), sent, "nothing was sent");
    answer_with(&cluster, saying(600, 600, "1s"));
    join_all(nodes.iter().map(is_answered)).await;
    let took = now() - began;
    println!("sent again after {took:?} of a window of {WINDOW:?}");
    assert!(took >= WINDOW, "{took:?}");
}
