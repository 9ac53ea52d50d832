//! A credential that its provider refuses is out by itself, and is tried again.

use super::fixture::{Cluster, Seen, add, overloaded, seen, text, with_keys};
use crate::apis::Api;
use cliproxy_testkit::{
    Config, PATIENCE,
    mock::{Behaviour, ErrorKind, Rule},
    poll_until,
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_rests_alone_and_is_tried_again_after_its_rest() {
    let mock = with_keys(&["first", "second"]);
    mock.set_rules(vec![Rule::new(Behaviour::error(ErrorKind::Auth)).for_key("first").times(1)]).unwrap();
    let config = add(Config::new(), "up", Api::Messages, &mock, &["first", "second"])
        .set(&["providers", "up", "cooldown"], json!({"default_duration": "2s"}));
    let cluster = Cluster::start(config).await;
    let ask_both = || async {
        for node in cluster.nodes() {
            let answer = node.ask(Api::Messages, "up/m").await;
            assert_eq!(answer.status, 200, "the other credential serves: {}", answer.text());
        }
    };
    let refused = || async {
        ask_both().await;
        (mock.log().of_key("first").errors == 1).then_some(())
    };
    poll_until("call that is refused", PATIENCE, refused).await;
    let rest = cluster.rests("up/first").await;
    assert_eq!((&rest["scope"], &rest["cause"]), (&"credential".into(), &"credential_rejected".into()));
    assert_eq!(rest["http_status"], 401, "{rest}");
    let status = cluster.status("up", "is judged", |up| up["status"] != "unknown").await;
    assert_eq!((&status["status"], &status["in_cooldown"]), (&"healthy".into(), &false.into()), "{status}");
    assert_eq!(cluster.rested().await.0, ["up/first"]);

    let back = || async {
        ask_both().await;
        let calls = seen(&mock, "first");
        ["a", "b"]
            .iter()
            .all(|node| calls.iter().any(|call| call.status == 200 && call.node == *node))
            .then_some(calls)
    };
    let calls = poll_until("calls of both nodes with the credential", PATIENCE, back).await;
    let refused = calls.iter().find(|call| call.status == 401).unwrap();
    let rests = refused.finished_us..refused.started_us + 2_000_000;
    // The other node hears of it within a moment.
    let too_early = |call: &&Seen| {
        let heard = call.node == refused.node || call.started_us > refused.finished_us + 1_000_000;
        rests.contains(&call.started_us) && heard
    };
    assert_eq!(calls.iter().find(too_early), None, "within the rest after {refused:?}");

    let ended = || async {
        let audit = cluster.audit("up").await;
        audit.iter().any(|(action, _)| action == "cooldown_ended").then_some(audit)
    };
    let audit = poll_until("end of the rest in the audit log", PATIENCE, ended).await;
    let (_, began) = audit.iter().find(|(action, _)| action == "cooldown_started").expect("its beginning");
    assert_eq!((&began["subject"], &began["actor"]), (&"up/first".into(), &"system".into()), "{began}");
    assert!(text(&began["after"]).contains("credential_rejected"), "{began}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refused_its_last_credential_is_unhealthy() {
    let mock = with_keys(&["only"]);
    mock.set(Behaviour::error(ErrorKind::Permission)).unwrap();
    let config = add(Config::new(), "up", Api::Messages, &mock, &["only"]);
    let cluster = Cluster::start(config).await;
    assert_eq!(cluster.a.ask(Api::Messages, "up/m").await.status, 403);
    let status = cluster.status("up", "is unhealthy", |up| up["status"] == "unhealthy").await;
    assert_eq!(
        (&status["in_cooldown"], &status["cooldown_reason"]),
        (&true.into(), &"credential_rejected".into())
    );
    let alerts = cluster.get("alerts").await;
    let names: Vec<String> =
        alerts["alerts"].as_array().unwrap().iter().map(|alert| text(&alert["name"])).collect();
    assert_eq!(names, ["credentials_rejected"], "{alerts}");
    let answer = cluster.b.ask(Api::Messages, "up/m").await;
    assert_eq!(answer.status, overloaded(Api::Messages), "{}", answer.text());
    assert!(answer.text().contains("up/only (cooldown: credential_rejected"), "{}", answer.text());
    assert_eq!(mock.totals().requests, 1, "the other node called with a refused credential");
}
