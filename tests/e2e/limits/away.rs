//! Nobody who grants, or one who has forgotten what was granted.

use super::{
    fixture::{
        COST, KEY, Outcome, all_but_little_was_billed, answer_of, answer_with, answers, ask, billed, client,
        layout, nodes_of, spend_all,
    },
    rates,
};
use cliproxy_testkit::{Client, Cluster, LONG_PATIENCE, poll_until};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// How long a share of a rate holds.
const TTL: Duration = Duration::from_secs(10);

/// Asks each node so often for the client with a rate; gives how many were answered. The rest is told why.
async fn fast(nodes: &[Client], each: usize) -> usize {
    let asked = nodes.iter().flat_map(|node| (0..each).map(move |_| ask(node, Some(rates::KEY))));
    let outcomes = join_all(asked).await;
    // A node that had no share when it was cut off cannot tell that the client is too fast.
    let codes = ["rate_limit_exceeded", "quota_unavailable"];
    let is_told = |outcome: &&Outcome| !codes.iter().any(|code| outcome.is_refused_with(code));
    outcomes.iter().filter(is_told).inspect(|outcome| assert_eq!(**outcome, Outcome::Answered)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_control_plane_nodes_spend_what_they_hold_of_a_budget_and_a_safe_share_of_a_rate() {
    const LIMIT: usize = 60;
    let budget = json!({"budget": {"limit": 1_000 * COST, "unit": "tokens", "reset": "monthly"}});
    let Value::Array(mut clients) = client(budget) else { panic!("a list") };
    let rate = json!({"requests_per_minute": LIMIT});
    clients.push(json!({"name": "fast", "keys": [{"sha256": rates::HASH}], "rate_limit": rate}));
    let mut cluster = Cluster::start(layout().set(&["clients"], Value::Array(clients))).await;
    answer_with(&cluster, answers(Duration::ZERO));
    let nodes = nodes_of(&cluster);
    for node in &nodes {
        for key in [KEY, rates::KEY] {
            let answered = || async { (ask(node, Some(key)).await == Outcome::Answered).then_some(()) };
            poll_until("answer", LONG_PATIENCE, answered).await;
        }
    }
    let mut answered = nodes.len() + fast(&nodes, 2).await;
    for control in &mut cluster.controls {
        control.process.kill9();
    }
    for node in &cluster.nodes {
        node.stands("stale", LONG_PATIENCE).await;
    }
    let before = billed(&cluster.mock);
    for node in &nodes {
        // A node that may have lost one control plane alone believes for two seconds that another one will answer.
        let spent = || async {
            let answer = answer_of(node, Some(KEY)).await.expect("an answer");
            let is_told = answer.header("retry-after") == "5";
            let outcome = Outcome::from(answer);
            let is_refused = outcome.is_refused_with("quota_unavailable");
            assert!(is_refused || outcome == Outcome::Answered, "{outcome:?}");
            (is_refused && is_told).then_some(())
        };
        poll_until("refusal that says when to come back", LONG_PATIENCE, spent).await;
    }
    let spent = billed(&cluster.mock) - before;
    assert!(spent <= 2 * (1_000 * COST / 16), "more than a slice each was spent: {spent}");
    // Until the shares that they had have ended: nobody tells.
    tokio::time::sleep(TTL).await;
    let later = fast(&nodes, LIMIT).await;
    answered += later;
    println!("{answered} of {LIMIT} requests within a minute, {later} of them by safe shares");
    assert!(answered <= LIMIT, "{answered} of {LIMIT}");
    assert!(later >= nodes.len(), "each node has some: {later}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_forgot_what_was_granted_lets_nobody_pass_the_limit() {
    const LIMIT: u64 = 400 * COST;
    let quota = json!({"limit": LIMIT, "unit": "tokens", "reset": "monthly"});
    let cluster = Cluster::start(layout().set(&["providers", "up", "quota"], quota)).await;
    answer_with(&cluster, answers(Duration::from_millis(200)));
    let (nodes, answered) = (nodes_of(&cluster), AtomicUsize::new(0));
    let reach = async |goal: usize| {
        let reached = || async { (answered.load(Relaxed) >= goal).then_some(()) };
        poll_until("further answers", LONG_PATIENCE, reached).await;
    };
    let lost = async {
        reach(60).await;
        cluster.make_standby();
        reach(200).await;
        cluster.promote_standby().await;
    };
    tokio::join!(spend_all(&nodes, 8, &answered), lost);
    println!("{} of {LIMIT} tokens, a third of which the database had forgotten", billed(&cluster.mock));
    all_but_little_was_billed(&cluster.mock, LIMIT);
}
