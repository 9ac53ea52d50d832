//! Errors are counted over all nodes, within a window that slides.

use super::fixture::{Cluster, Node, add, with_keys};
use crate::apis::Api;
use cliproxy_testkit::{
    Config,
    mock::{Behaviour, ErrorKind, Rule},
    now,
};
use serde_json::json;
use std::time::Duration;

fn policy(window: &str, threshold: u64) -> Config {
    Config::new()
        .set(
            &["server", "operations", "cooldown"],
            json!({"detection_window": window, "error_threshold": threshold}),
        )
        .set(&["server", "retries", "max_attempts"], 1)
}

async fn fails(node: &Node, model: &str) {
    let answer = node.ask(Api::Chat, model).await;
    assert_eq!(answer.status, 500, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn five_errors_within_a_window_over_two_nodes_rest_the_provider_and_four_do_not() {
    let mock = with_keys(&["main"]);
    mock.set(Behaviour::error(ErrorKind::ServerError)).unwrap();
    let cluster = Cluster::start(add(policy("1m", 5), "up", Api::Chat, &mock, &["main"])).await;
    for node in [&cluster.a, &cluster.b, &cluster.a, &cluster.b] {
        fails(node, "up/m").await;
    }
    cluster.status("up", "failed four times", |up| up["errors_last_minute"] == 4).await;
    assert_eq!(cluster.rested().await, (vec![], vec![]), "four are not five");

    fails(&cluster.a, "up/m").await;
    let rest = cluster.rests("up").await;
    assert_eq!((&rest["scope"], &rest["cause"]), (&"provider".into(), &"error".into()), "{rest}");
    assert_eq!((&rest["errors"], &rest["window_seconds"]), (&5.into(), &60.into()), "{rest}");
    assert_eq!((&rest["http_status"], &rest["reporter"]), (&500.into(), &"a".into()), "{rest}");
    assert_eq!(cluster.rested().await, (vec!["up".to_owned()], vec![]), "nothing else rests");
    for node in cluster.nodes() {
        let answer = node.ask(Api::Chat, "up/m").await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(answer.text().contains("cooldown: error"), "{}", answer.text());
        // Two minutes, as no duration is configured.
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((90..=120).contains(&wait), "{wait}");
    }
    assert_eq!(mock.totals().requests, 5, "no node called what rests");
    let actions: Vec<String> = cluster.audit("up").await.into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions.iter().filter(|action| *action == "cooldown_started").count(), 1, "{actions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_that_come_more_slowly_than_the_window_slides_rest_nothing() {
    const ERRORS: u32 = 7;
    // Three of them take longer than the window.
    const PACE: Duration = Duration::from_millis(600);
    let mock = with_keys(&["main"]);
    mock.set(Behaviour::error(ErrorKind::ServerError)).unwrap();
    let cluster = Cluster::start(add(policy("1s", 3), "up", Api::Chat, &mock, &["main"])).await;
    let began = now();
    for turn in 0..ERRORS {
        tokio::time::sleep_until((began + PACE * turn).into()).await;
        fails(cluster.nodes()[turn as usize % 2], "up/m").await;
    }
    cluster.status("up", "failed so often", |up| up["errors_last_minute"] == ERRORS).await;
    assert_eq!(cluster.rested().await, (vec![], vec![]));
    assert_eq!(mock.totals().requests, u64::from(ERRORS));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_without_a_hint_counts_against_its_credential_alone() {
    let mock = with_keys(&["first", "second"]);
    mock.set_rules(vec![Rule::new(Behaviour::error(ErrorKind::RateLimit)).for_key("first")]).unwrap();
    let config = policy("1m", 3).set(&["server", "retries", "max_attempts"], 3);
    let cluster = Cluster::start(add(config, "up", Api::Chat, &mock, &["first", "second"])).await;
    while mock.log().of_key("first").requests < 3 {
        for node in cluster.nodes() {
            assert_eq!(node.ask(Api::Chat, "up/m").await.status, 200, "the other one serves");
        }
    }
    let rest = cluster.rests("up/first").await;
    assert_eq!((&rest["cause"], &rest["errors"]), (&"rate_limit".into(), &3.into()), "{rest}");
    assert_eq!(rest["hint_seconds"], serde_json::Value::Null, "{rest}");
    let refused = mock.log().of_key("first").requests;
    for _ in 0..4 {
        for node in cluster.nodes() {
            assert_eq!(node.ask(Api::Chat, "up/m").await.status, 200);
        }
    }
    assert_eq!(mock.log().of_key("first").requests, refused, "no node called with what rests");
    assert_eq!(cluster.rested().await, (vec!["up/first".to_owned()], vec![]), "the provider does not rest");
}
