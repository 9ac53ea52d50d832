//! What is done for a provider that does not answer, and what is told when nothing helps.

use super::fixture::{Cluster, add, text, with_keys};
use crate::apis::Api;
use cliproxy_testkit::{
    Config, PATIENCE,
    mock::{Behaviour, ErrorKind, MockProvider},
    poll_until,
};
use serde_json::json;

const ACTIONS: [&str; 4] = [
    "recovery_connections_dropped",
    "recovery_name_resolved",
    "recovery_credentials_reloaded",
    "recovery_probed",
];

/// A provider that is down, and that no probe but a recovery's brings back.
async fn down(check_interval: &str, backoff: &str) -> (Cluster, MockProvider) {
    let mock = with_keys(&["main"]);
    let config = Config::new()
        .set(
            &["server", "operations", "health_check"],
            json!({
                "interval": "200ms", "timeout": "2s", "unhealthy_threshold": 1, "healthy_threshold": 1_000,
                "daily_budget": 1_000_000
            }),
        )
        .set(
            &["server", "operations", "self_healing"],
            json!({"enabled": true, "check_interval": check_interval, "max_attempts": 2, "backoff_duration": backoff}),
        );
    mock.set_health(Behaviour::error(ErrorKind::Unavailable)).unwrap();
    (Cluster::start(add(config, "up", Api::Chat, &mock, &["main"])).await, mock)
}

async fn actions(cluster: &Cluster) -> Vec<String> {
    cluster.audit("up").await.into_iter().map(|(action, _)| action).collect()
}

async fn alerts(cluster: &Cluster) -> Vec<String> {
    let alerts = cluster.get("alerts").await;
    alerts["alerts"].as_array().unwrap().iter().map(|alert| text(&alert["name"])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_was_down_for_a_while_comes_back_by_itself_by_four_actions() {
    let (cluster, mock) = down("1m", "3s").await;
    let begun = || async { actions(&cluster).await.iter().any(|action| action == ACTIONS[3]).then_some(()) };
    poll_until("first recovery", PATIENCE, begun).await;
    assert_eq!(alerts(&cluster).await, ["provider_unhealthy"]);
    let failed =
        || async { actions(&cluster).await.iter().any(|action| action == "recovery_failed").then_some(()) };
    poll_until("recovery that did not help", PATIENCE, failed).await;

    mock.set_health(Behaviour::Answer).unwrap();
    cluster.status("up", "is healthy", |told| told["status"] == "healthy").await;
    assert_eq!(cluster.a.ask(Api::Chat, "up/m").await.status, 200);
    assert!(alerts(&cluster).await.is_empty());
    let log = actions(&cluster).await;
    let unhealthy = log.iter().position(|action| action == "health_changed").unwrap();
    let recovery = || ACTIONS.into_iter();
    let expected: Vec<&str> = std::iter::once("health_changed")
        .chain(recovery())
        .chain(["recovery_failed"])
        .chain(recovery())
        .chain(["health_changed", "recovery_succeeded"])
        .collect();
    assert_eq!(log[unhealthy..], expected);
    let (_, last) = cluster.audit("up").await.pop().unwrap();
    assert!(text(&last["reason"]).starts_with("recovery 2: "), "{last}");
    assert_eq!(last["actor"], "system");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_stays_down_has_failed_with_an_alert_until_a_later_round_helps() {
    let (cluster, mock) = down("2s", "250ms").await;
    let told = cluster.status("up", "has failed", |told| told["status"] == "failed").await;
    assert!(text(&told["why"]).contains("2 recoveries did not help"), "{told}");
    assert_eq!(alerts(&cluster).await, ["provider_failed"]);
    let log = actions(&cluster).await;
    let count = |wanted: &str| log.iter().filter(|action| *action == wanted).count();
    assert_eq!((count("recovery_given_up"), count("alert")), (1, 1), "{log:?}");
    assert!(ACTIONS.iter().all(|action| count(action) >= 2), "{log:?}");

    mock.set_health(Behaviour::Answer).unwrap();
    cluster.status("up", "is healthy", |told| told["status"] == "healthy").await;
    assert!(alerts(&cluster).await.is_empty());
    assert_eq!(actions(&cluster).await.pop().unwrap(), "recovery_succeeded");
}
