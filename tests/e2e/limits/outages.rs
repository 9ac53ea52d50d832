//! The database away: keys are what they were, and nothing is spent that was not granted before.

use super::fixture::{COST, KEY, Outcome, answer_with, answers, ask, billed, client, layout};
use cliproxy_testkit::{Cluster, LONG_PATIENCE, PATIENCE, poll_until};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;

/// An outage of the store makes no key invalid and none valid, and neither a spent budget whole.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_known_keys_are_served_from_what_is_held_and_others_are_not() {
    // More than is asked for until the node is seen to hold some of it.
    const LIMIT: u64 = 10_000 * COST;
    let budget = json!({"limit": LIMIT, "unit": "tokens", "reset": "monthly"});
    let layout = layout().set(&["clients"], client(json!({"budget": budget})));
    let cluster = Cluster::start(layout).await;
    answer_with(&cluster, answers(Duration::ZERO));
    let node = &cluster.nodes[0].client;
    // What it holds is sized by what was asked for lately.
    let holds_some = || async {
        join_all((0..10).map(|_| ask(node, Some(KEY)))).await;
        let held = cluster.nodes[0].metrics().await.sum("cliproxy_quota_held", &[("subject", "client ci")]);
        (held >= (4 * COST) as f64).then_some(())
    };
    poll_until("slice for several requests", PATIENCE, holds_some).await;
    cluster.postgres.stop_fast();
    let before = billed(&cluster.mock);
    assert_eq!(ask(node, Some(KEY)).await, Outcome::Answered, "it holds a slice");
    let wrong = ask(node, Some("cpk_wrong")).await;
    assert!(matches!(wrong, Outcome::Refused(401, _)), "{wrong:?}");
    // Until what it holds is spent; then nothing more passes.
    let refused = || async { ask(node, Some(KEY)).await.is_refused_with("quota_unavailable").then_some(()) };
    poll_until("slice that is spent", LONG_PATIENCE, refused).await;
    let spent = billed(&cluster.mock);
    assert!(spent - before <= LIMIT / 4, "more than a slice was spent: {}", spent - before);
    for _ in 0..5 {
        assert!(ask(node, Some(KEY)).await.is_refused_with("quota_unavailable"));
    }
    assert_eq!(billed(&cluster.mock), spent);
}

/// Neither does it for a node that starts meanwhile, and remembers what it knew.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_while_the_store_is_away_knows_its_keys_and_spends_nothing_that_it_was_not_granted()
 {
    let budget = json!({"limit": 1_000 * COST, "unit": "tokens", "reset": "monthly"});
    let layout = layout().set(&["clients"], client(json!({"budget": budget})));
    let mut cluster = Cluster::start(layout).await;
    answer_with(&cluster, answers(Duration::ZERO));
    let made = cluster.operators().post("/v0/operations/clients/ci/keys", "{}").await.json();
    let made = made["key"].as_str().expect("a key").to_owned();
    let keys = [KEY, made.as_str()];
    let node = cluster.nodes[0].client.clone();
    for key in keys {
        let answered = || async { (ask(&node, Some(key)).await == Outcome::Answered).then_some(()) };
        poll_until("answer", LONG_PATIENCE, answered).await;
    }
    cluster.postgres.stop_fast();
    cluster.nodes[0].process.kill9();
    cluster.nodes[0].restart().await;
    let before = billed(&cluster.mock);
    for key in keys {
        let refused = ask(&node, Some(key)).await;
        assert!(refused.is_refused_with("quota_unavailable"), "{refused:?}");
    }
    let wrong = ask(&node, Some("cpk_wrong")).await;
    assert!(matches!(wrong, Outcome::Refused(401, _)), "{wrong:?}");
    assert_eq!(billed(&cluster.mock), before, "it was granted nothing yet");
    cluster.postgres.start();
    for key in keys {
        let answered = || async { (ask(&node, Some(key)).await == Outcome::Answered).then_some(()) };
        poll_until("answer once the store is back", LONG_PATIENCE, answered).await;
    }
}
