//! An operator's word is in force on every node, whichever was asked, and wins over what began before it.

use super::{
    fixture::{Cluster, Node, add, overloaded, say, text, with_keys},
    traffic::Traffic,
};
use crate::apis::Api;
use cliproxy_testkit::{
    Config, PATIENCE, Samples,
    mock::{Behaviour, Hint, Latency, Rule},
    poll_until,
};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn stale_429_that_were_in_flight_when_an_operator_recovered_change_nothing() {
    const STALE: u64 = 6;
    let mock = with_keys(&["main"]);
    let hint = Hint { retry_after_s: Some(600), ..Hint::default() };
    let slow = Latency { headers_ms: 2_000, ..Latency::default() };
    let stale = Rule::new(Behaviour::rate_limit(hint)).for_model("m").latency(slow).times(STALE);
    let first = Rule::new(Behaviour::rate_limit(hint)).for_model("other").times(1);
    mock.set_rules(vec![stale, first]).unwrap();
    let config = Config::new().set(&["server", "retries", "max_attempts"], 1);
    let cluster = Cluster::start(add(config, "up", Api::Chat, &mock, &["main"])).await;

    let in_flight = (0..STALE as usize).map(|turn| cluster.nodes()[turn % 2].ask(Api::Chat, "up/m"));
    let answers = async { join_all(in_flight).await };
    let meanwhile = async {
        mock.wait_for(PATIENCE, |totals| totals.in_flight == STALE).await.unwrap();
        // One that was quick lets the credential rest; the operator ends that while the others are on their way.
        assert_eq!(cluster.a.ask(Api::Chat, "up/other").await.status, 429);
        cluster.rests("up/main").await;
        cluster.say("up", "recover", json!({"reason": "they promised"})).await;
        assert_eq!(mock.totals().in_flight, STALE, "they are in flight still");
    };
    let (answers, ()) = tokio::join!(answers, meanwhile);
    assert!(answers.iter().all(|answer| answer.status == 429), "their clients are told");

    let heard = || async {
        let samples = Samples::parse(cluster.operators.get("/metrics").await.text());
        let stale: f64 = samples
            .kinds()
            .keys()
            .filter(|name| name.contains("stale_events"))
            .map(|name| samples.sum(&format!("{}_total", name.trim_end_matches("_total")), &[]))
            .sum();
        (stale >= STALE as f64).then_some(())
    };
    poll_until("stale events at the control plane", PATIENCE, heard).await;
    cluster.settle().await;
    for node in cluster.nodes() {
        let answer = node.ask(Api::Chat, "up/m").await;
        assert_eq!(answer.status, 200, "at {}: {}", node.name, answer.text());
    }
    let rests: Vec<String> = cluster
        .audit("up")
        .await
        .into_iter()
        .map(|(action, _)| action)
        .filter(|action| action.starts_with("cooldown"))
        .collect();
    assert_eq!(rests, ["cooldown_started"], "the quick one alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rest_forced_at_one_node_holds_at_the_other_and_ends_when_that_recovers() {
    let mock = with_keys(&["main"]);
    let cluster = Cluster::start(add(Config::new(), "claude", Api::Messages, &mock, &["main"])).await;
    let traffic = cluster.nodes().map(|node| every(node, 20));
    join_all(traffic.iter().map(|traffic| traffic.next(5))).await;

    let forced =
        say(&cluster.a.client, "claude", "cooldown", json!({"duration": "10m", "reason": "manual"})).await;
    assert_eq!(forced["source"], "cluster", "{forced}");
    let (remaining, reason) = (&forced["cooldown"]["remaining_seconds"], &forced["cooldown"]["reason"]);
    assert_eq!((remaining, reason), (&600.into(), &"manual".into()), "{forced}");
    let called = mock.wait_for(PATIENCE, |totals| totals.in_flight == 0).await.unwrap().requests;
    for got in join_all(traffic.iter().map(|traffic| traffic.next(8))).await.concat().iter().rev().take(6) {
        assert_eq!(got.status, overloaded(Api::Messages), "{}", got.error);
        assert!(got.error.contains("cooldown: manual"), "{}", got.error);
    }
    let of_now = mock.totals().requests;
    assert!(of_now <= called + 2, "calls that were decided on before: {called}, then {of_now}");

    say(&cluster.b.client, "claude", "recover", json!({})).await;
    let served = || async {
        let got = join_all(traffic.iter().map(|traffic| traffic.next(1))).await.concat();
        got.iter().all(|got| got.status == 200).then_some(())
    };
    poll_until("answers of both nodes", PATIENCE, served).await;
    let audit = cluster.audit("claude").await;
    let [(forced, said), (recovered, _)] = audit.as_slice() else { panic!("{audit:?}") };
    assert_eq!((forced.as_str(), recovered.as_str()), ("cooldown_forced", "recovered"));
    assert_eq!((&said["actor"], &said["from"]), (&"loopback".into(), &"127.0.0.1".into()), "{said}");
    assert_eq!(said["reason"], "manual", "{said}");
    assert!(text(&said["after"]).contains("\"resting\""), "{said}");
    for traffic in traffic {
        traffic.stop().await;
    }
}

fn every(node: &Node, ms: u64) -> Traffic {
    Traffic::start(node, Api::Messages, "claude/m", Duration::from_millis(ms))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_nodes_and_the_control_plane_give_the_same_answers() {
    let mock = with_keys(&["main"]);
    let cluster = Cluster::start(add(Config::new(), "up", Api::Chat, &mock, &["main"])).await;
    cluster.say("up", "cooldown", json!({"duration": "10m"})).await;
    let paths = [
        "providers/status",
        "cooldown/status",
        "load_balancing/status",
        "quotas",
        "nodes",
        "alerts",
        "audit?provider=up",
        "explain?model=up/m",
    ];
    for path in paths {
        let same = || async {
            let mut answers = [cluster.get(path).await, cluster.a.get(path).await, cluster.b.get(path).await];
            for answer in &mut answers {
                assert_eq!(answer["source"], "cluster", "{path}: {answer}");
                without_times(answer);
            }
            (answers[0] == answers[1] && answers[1] == answers[2]).then_some(())
        };
        poll_until(&format!("the same answer to {path} everywhere"), PATIENCE, same).await;
    }
}

/// Leaves out what goes on while one asks.
fn without_times(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|name, _| {
                !matches!(name.as_str(), "as_of" | "at" | "remaining_seconds" | "last_seen")
            });
            fields.values_mut().for_each(without_times);
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(without_times),
        _ => {}
    }
}
