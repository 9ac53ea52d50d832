//! `quota_aware` follows what is left, and what is used up is out.

use super::fixture::{Cluster, add, with_keys};
use crate::apis::Api;
use cliproxy_testkit::{Config, PATIENCE, poll_until};
use serde_json::json;

fn quota(limit: u64) -> serde_json::Value {
    json!({"limit": limit, "unit": "requests", "reset": "monthly"})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_with_the_most_quota_left_is_used_until_the_other_has_more() {
    let mock = with_keys(&["large", "small"]);
    let config =
        Config::new().set(&["server", "operations", "load_balancing"], json!({"strategy": "quota_aware"}));
    let config =
        add(config, "large", Api::Chat, &mock, &["large"]).set(&["providers", "large", "quota"], quota(40));
    let config =
        add(config, "small", Api::Chat, &mock, &["small"]).set(&["providers", "small", "quota"], quota(20));
    let cluster = Cluster::start(config.alias("smart", &[("large", "m"), ("small", "m")])).await;
    for node in cluster.nodes() {
        for _ in 0..8 {
            let answer = node.ask(Api::Chat, "smart").await;
            assert_eq!(answer.header("x-cliproxy-provider"), "large", "{}", answer.text());
        }
    }
    let left = || async {
        let quotas = cluster.get("quotas").await;
        (quotas["quotas"]["large"]["remaining"] == 24.0).then_some(quotas)
    };
    let quotas = poll_until("quota that was counted", PATIENCE, left).await;
    assert_eq!(quotas["quotas"]["small"]["remaining"], 20.0, "{quotas}");

    let small_is_used = || async {
        let answers =
            futures_util::future::join_all(cluster.nodes().map(|node| node.ask(Api::Chat, "smart"))).await;
        answers.iter().all(|answer| answer.header("x-cliproxy-provider") == "small").then_some(())
    };
    // Four more and the large one has no more left than the small one; nodes hear of it every other second.
    for _ in 0..3 {
        for node in cluster.nodes() {
            node.ask(Api::Chat, "smart").await;
        }
    }
    poll_until("answers of the small one at both nodes", PATIENCE, small_is_used).await;
    assert!(mock.log().of_key("large").requests >= 20, "the small one was used too early");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_used_up_keeps_the_provider_out_at_both_nodes() {
    let mock = with_keys(&["main"]);
    let config =
        add(Config::new(), "up", Api::Chat, &mock, &["main"]).set(&["providers", "up", "quota"], quota(6));
    let cluster = Cluster::start(config).await;
    for _ in 0..3 {
        for node in cluster.nodes() {
            assert_eq!(node.ask(Api::Chat, "up/m").await.status, 200);
        }
    }
    for node in cluster.nodes() {
        let refused = || async {
            let answer = node.ask(Api::Chat, "up/m").await;
            // Before it has heard of the other's calls a node says that it cannot get more just now.
            answer.text().contains("quota_exhausted").then_some(answer)
        };
        let answer = poll_until("refusal", PATIENCE, refused).await;
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert!(answer.text().contains("the quota of provider up (6 requests, "), "{}", answer.text());
        assert!(!answer.header("retry-after").is_empty());
    }
    // The nodes know first; who is asked for an explanation hears it with the books, every other second.
    let explained = || async {
        let explained = cluster.get("explain?model=up/m").await;
        (explained["decision"]["candidates"][0]["excluded"] == "quota_exhausted").then_some(())
    };
    poll_until("explanation that the quota is used up", PATIENCE, explained).await;
}
