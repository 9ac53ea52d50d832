//! Nodes that have lost their control plane decide by themselves, say so, and tell it all once it is back.

use super::fixture::{Cluster, add, with_keys};
use crate::apis::Api;
use cliproxy_testkit::{
    Config, PATIENCE,
    mock::{Behaviour, ErrorKind, Hint, Rule},
    poll_until,
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_cut_off_detect_errors_themselves_and_the_others_learn_it_when_the_control_plane_is_back()
 {
    let (failing, limited) = (with_keys(&["main"]), with_keys(&["first", "second"]));
    failing.set(Behaviour::error(ErrorKind::ServerError)).unwrap();
    let hint = Hint { retry_after_s: Some(600), ..Hint::default() };
    limited.set_rules(vec![Rule::new(Behaviour::rate_limit(hint)).for_key("first").times(1)]).unwrap();
    let config = Config::new()
        .set(&["server", "operations", "cooldown"], json!({"detection_window": "1m", "error_threshold": 4}));
    let config = add(config, "failing", Api::Chat, &failing, &["main"]);
    let config = add(config, "limited", Api::Chat, &limited, &["first", "second"]);
    let mut cluster = Cluster::start(config.set(&["server", "retries", "max_attempts"], 2)).await;
    cluster.control.kill9();
    for node in cluster.nodes() {
        node.is("stale").await;
    }

    // Not told of by anybody, and not to the other node.
    while failing.totals().requests < 4 {
        assert_eq!(cluster.a.ask(Api::Chat, "failing/m").await.status, 500);
    }
    let answer = cluster.a.ask(Api::Chat, "failing/m").await;
    assert_eq!((answer.status, failing.totals().requests), (503, 4), "{}", answer.text());
    assert!(answer.text().contains("cooldown: error"), "{}", answer.text());
    while limited.log().of_key("first").errors == 0 {
        assert_eq!(cluster.a.ask(Api::Chat, "limited/m").await.status, 200);
    }
    for _ in 0..4 {
        assert_eq!(cluster.a.ask(Api::Chat, "limited/m").await.status, 200);
    }
    assert_eq!(limited.log().of_key("first").requests, 1, "what rests was called");
    assert_eq!(cluster.b.ask(Api::Chat, "failing/m").await.status, 500, "the other node has not heard of it");

    let status = cluster.a.get("cooldown/status").await;
    assert_eq!(status["source"], "node", "{status}");
    assert_eq!(status["cooldown_periods"]["failing"]["reason"], "error", "{status}");
    assert!(status["resting"]["limited/first"].is_object(), "{status}");
    for path in ["providers/status", "load_balancing/status", "explain?model=failing/m", "quotas"] {
        let answer = cluster.a.get(path).await;
        assert_eq!(answer["source"], "node", "{path}: {answer}");
        assert!(answer["as_of"].is_string(), "{path}: {answer}");
    }
    for path in ["nodes", "alerts", "audit", "usage"] {
        let answer = cluster.a.client.get(&format!("/v0/operations/{path}")).await;
        let error = &answer.json()["error"];
        assert_eq!(
            (answer.status, &error["type"]),
            (503, &"control_plane_unavailable".into()),
            "{path}: {error}"
        );
    }

    cluster.control.restart();
    cluster.control.ready().await;
    cluster.connected().await;
    for subject in ["failing", "limited/first"] {
        let rest = cluster.rests(subject).await;
        assert_eq!(rest["reporter"], "a", "{rest}");
    }
    let calls = failing.totals().requests;
    let answer = cluster.b.ask(Api::Chat, "failing/m").await;
    assert_eq!((answer.status, failing.totals().requests), (503, calls), "{}", answer.text());
    let cluster_again =
        || async { (cluster.a.get("cooldown/status").await["source"] == "cluster").then_some(()) };
    poll_until("answer of the cluster at the node", PATIENCE, cluster_again).await;
}
