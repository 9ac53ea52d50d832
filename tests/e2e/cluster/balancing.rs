//! How requests are spread over both nodes together.

use super::{
    fixture::{Cluster, add, with_keys},
    traffic::{Got, Traffic, burst, shares},
};
use crate::apis::Api;
use cliproxy_testkit::{Config, mock::MockProvider};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

const NAMES: [&str; 3] = ["one", "two", "three"];

/// Three providers behind one upstream, each with a key of its own name, and the name `smart` for all three.
fn three() -> (Config, MockProvider) {
    let mock = with_keys(&NAMES);
    let config =
        NAMES.iter().fold(Config::new(), |config, name| add(config, name, Api::Chat, &mock, &[name]));
    (config.alias("smart", &NAMES.map(|name| (name, "m"))), mock)
}

fn each(config: Config, key: &str, values: [Value; 3]) -> Config {
    let add = |config: Config, (name, value): (&&str, Value)| config.set(&["providers", name, key], value);
    NAMES.iter().zip(values).fold(config, add)
}

/// Asks both nodes at the same time, and counts who answered.
async fn spread(cluster: &Cluster, model: &str, counts: [usize; 2]) -> BTreeMap<String, usize> {
    let [a, b] = counts;
    let (a, b) = tokio::join!(burst(&cluster.a, Api::Chat, model, a), burst(&cluster.b, Api::Chat, model, b));
    shares(a.iter().chain(&b))
}

fn expected(counts: [usize; 3]) -> BTreeMap<String, usize> {
    let given = |(_, count): &(&str, usize)| *count > 0;
    NAMES.into_iter().zip(counts).filter(given).map(|(name, count)| (name.to_owned(), count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_3000_requests_at_two_nodes_three_equal_targets_get_a_third_each() {
    let (config, mock) = three();
    let cluster = Cluster::start(config).await;
    // Neither node's part is a multiple of three.
    let shares = spread(&cluster, "smart", [1_499, 1_501]).await;
    for name in NAMES {
        assert!((999..=1_001).contains(&shares[name]), "{shares:?}");
        assert_eq!(mock.log().of_key(name).requests, shares[name] as u64, "and no call beside these");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_of_5_3_2_are_kept_to_the_percent() {
    let (config, _mock) = three();
    let cluster = Cluster::start(each(config, "weight", [5.into(), 3.into(), 2.into()])).await;
    let shares = spread(&cluster, "smart", [503, 497]).await;
    for (name, share) in NAMES.into_iter().zip([500_i64, 300, 200]) {
        let off = i64::try_from(shares[name]).unwrap() - share;
        assert!(off.abs() <= 10, "{shares:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cheapest_gets_all_and_of_priorities_the_first_that_does_not_rest() {
    let price = |input: f64, output: f64| json!({"input": input, "output": output});
    let (config, _mock) = three();
    let config =
        each(config, "cost_per_1k_tokens", [price(0.005, 0.015), price(0.003, 0.015), price(0.02, 0.02)])
            .set(&["models", "cheap"], json!({"strategy": "cost", "targets": targets([1, 1, 1])}))
            .set(&["models", "ranked"], json!({"targets": targets([3, 1, 2])}));
    let cluster = Cluster::start(config).await;
    assert_eq!(spread(&cluster, "cheap", [30, 30]).await, expected([0, 60, 0]));
    assert_eq!(spread(&cluster, "ranked", [30, 30]).await, expected([0, 60, 0]));
    cluster.say("two", "cooldown", json!({"duration": "10m"})).await;
    assert_eq!(spread(&cluster, "cheap", [20, 20]).await, expected([40, 0, 0]), "the next cheapest");
    assert_eq!(spread(&cluster, "ranked", [20, 20]).await, expected([0, 0, 40]), "the next priority");
    cluster.say("three", "cooldown", json!({"duration": "10m"})).await;
    assert_eq!(spread(&cluster, "ranked", [10, 10]).await, expected([20, 0, 0]), "the last priority");
}

fn targets(priorities: [u32; 3]) -> Value {
    let target =
        |(name, priority): (&str, u32)| json!({"provider": name, "model": "m", "priority": priority});
    NAMES.into_iter().zip(priorities).map(target).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_costs_are_shared_by_turns() {
    let price = json!({"input": 0.003, "output": 0.015});
    let (config, _mock) = three();
    let config =
        each(config, "cost_per_1k_tokens", [price.clone(), price, json!({"input": 0.1, "output": 0.1})])
            .set(&["server", "operations", "load_balancing", "strategy"], "cost");
    let cluster = Cluster::start(config).await;
    assert_eq!(spread(&cluster, "smart", [40, 40]).await, expected([40, 40, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_strategy_is_switched_under_load_and_no_request_is_lost() {
    let price = |input: f64| json!({"input": input, "output": 0.015});
    let (config, _mock) = three();
    let config = each(config, "cost_per_1k_tokens", [price(0.005), price(0.003), price(0.009)]);
    let with = |strategy: &str| {
        config.clone().set(&["server", "operations", "load_balancing"], json!({"strategy": strategy}))
    };
    let cluster = Cluster::start(with("round_robin")).await;
    let traffic =
        cluster.nodes().map(|node| Traffic::start(node, Api::Chat, "smart", Duration::from_millis(15)));
    for strategy in ["cost", "latency", "quota_aware", "round_robin", "cost"] {
        cluster.configure(with(strategy)).await;
        let status = cluster.get("load_balancing/status").await;
        assert_eq!(
            (&status["strategy"], &status["models"]["smart"]["strategy"]),
            (&strategy.into(), &strategy.into())
        );
        for traffic in &traffic {
            // The first of them may have been decided before.
            let got = traffic.next(30).await;
            let by = shares(&got[15..]);
            match strategy {
                "cost" => assert_eq!(by.keys().collect::<Vec<_>>(), ["two"]),
                "round_robin" | "quota_aware" => assert_eq!(by.len(), 3, "{strategy}: {by:?}"),
                _ => assert!(!by.is_empty()),
            }
        }
    }
    for traffic in traffic {
        let got: Vec<Got> = traffic.stop().await;
        assert!(got.len() >= 150, "{}", got.len());
        shares(&got);
    }
}
