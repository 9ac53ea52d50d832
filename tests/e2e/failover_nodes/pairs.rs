//! A primary and its backup without a control plane: each goes by what it hears of the other.

use super::*;
use cliproxy_testkit::{
    mock::{Behaviour, Hint, MockProvider},
    now, provider,
};
use serde_json::json;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_millis(1_500);

fn config(mock: &MockProvider, backup: &str, peers: &[&str]) -> Config {
    let peers: Vec<String> = peers.iter().map(|peer| format!("http://{peer}")).collect();
    let failover = json!({
        "mode": "active_passive",
        "backup_url": format!("http://{backup}"),
        "health_check_interval": "200ms",
        "failover_timeout": "1500ms",
        "peers": peers,
    });
    Config::new().provider("up", "openai", &mock.base_url()).set(&["server", "failover"], failover)
}

/// A provider that lets whoever calls it rest for long.
fn limited() -> MockProvider {
    provider("limited", Behaviour::rate_limit(Hint { retry_after_s: Some(600), ..Hint::default() }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_serves_while_the_primary_is_dead_and_steps_back_once_it_is_well() {
    let up = provider("up", Behaviour::default());
    let [a, b] = addresses();
    // One file for both.
    let shared = config(&up, &b, &[&a, &b]);
    let mut primary = node("a", &a, &shared).ready().await;
    let backup = node("b", &b, &shared).ready().await;
    let (at_primary, at_backup) = (primary.client().await, backup.client().await);
    becomes("active primary", &at_primary, true).await;
    assert_eq!(is_active(&at_backup).await, Some(false));
    assert_eq!(at_backup.get("/health").await.status, 200, "it lives all the same");
    sees("primary that the backup hears", &at_backup, |shown| shown["peers"][0]["said"] == "active").await;

    primary.kill9();
    let killed = now();
    becomes("active backup", &at_backup, true).await;
    let took = killed.elapsed();
    assert!(took >= TIMEOUT - Duration::from_millis(500), "too early: {took:?}");
    assert!(took < TIMEOUT + Duration::from_secs(2), "too late: {took:?}");
    println!("a backup without a control plane took over {took:?} after the kill");
    assert_eq!(ask(&at_backup, "up/m").await.status, 200);
    backup.wait_for_log("the role of this node changed", PATIENCE).await;
    assert_eq!(metric(&at_backup, "cliproxy_active").await, 1);

    back(&mut primary).await;
    // It waits until the backup has stepped back, so that at no time both serve.
    let both = || async { (is_active(&at_primary).await, is_active(&at_backup).await) };
    let handed_back = || async {
        let roles = both().await;
        assert_ne!(roles, (Some(true), Some(true)), "both serve");
        (roles == (Some(true), Some(false))).then_some(())
    };
    poll_until("role that is handed back", PATIENCE, handed_back).await;
    assert_eq!(metric(&at_backup, "cliproxy_active").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_told_to_stop_hands_over_at_once() {
    let up = provider("up", Behaviour::default());
    let [a, b] = addresses();
    let slow = config(&up, &b, &[&a, &b]).set(&["server", "failover", "failover_timeout"], "60s");
    let mut primary = node("a", &a, &slow).ready().await;
    let backup = node("b", &b, &slow).ready().await;
    let at_backup = backup.client().await;
    sees("primary that the backup hears", &at_backup, |shown| shown["peers"][0]["said"] == "active").await;
    primary.terminate();
    let stopped = now();
    becomes("active backup", &at_backup, true).await;
    assert!(stopped.elapsed() < Duration::from_secs(10), "{:?}", stopped.elapsed());
    assert!(primary.wait_exit(PATIENCE).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_primary_has_no_provider_for_is_answered_by_the_backup() {
    let (limited, up) = (limited(), provider("up", Behaviour::default()));
    let [a, b] = addresses();
    let primary = node("a", &a, &config(&limited, &b, &[])).ready().await;
    let backup = node("b", &b, &config(&up, &b, &[&a, &b])).ready().await;
    let (at_primary, at_backup) = (primary.client().await, backup.client().await);
    sees("backup that is well", &at_primary, |shown| shown["peers"][0]["up"] == true).await;
    for turn in 0..3 {
        let (path, body) = Api::Chat.request("up/m", turn == 1);
        let answer = at_primary.json(&path, body).header("x-request-id", format!("r-{turn}"));
        let answer = answer.send().await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.headers["x-cliproxy-served-by"], "backup");
        assert_eq!(answer.headers["x-cliproxy-node"], "b");
        assert_eq!(answer.headers["x-request-id"], format!("r-{turn}"));
    }
    assert_eq!((limited.totals().requests, up.totals().requests), (1, 3));
    let own = at_primary.get("/v0/operations/requests/r-1").await.json();
    assert_eq!(own["request"]["served_by"], "backup", "{own}");
    // Counted once, where it was answered.
    let requests = "cliproxy_requests_total{provider=\"up\",model=\"m\",status=\"success\"}";
    assert_eq!((metric(&at_primary, requests).await, metric(&at_backup, requests).await), (0, 3));
    let forwarded = "cliproxy_forwarded_total{result=\"answered\"}";
    assert_eq!((metric(&at_primary, forwarded).await, metric(&at_backup, forwarded).await), (3, 0));
    let line = primary
        .wait_for_line("access log", PATIENCE, |line| {
            line["request_id"] == "r-1" && line["served_by"] == "backup"
        })
        .await;
    assert_eq!(line["msg"], "request_success");

    drop(backup);
    let answer = ask(&at_primary, "up/m").await;
    assert_eq!(answer.status, 429, "the first refusal: {}", answer.text());
    assert!(!answer.headers.contains_key("x-cliproxy-served-by"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_are_each_others_backup_do_not_send_a_request_in_circles() {
    let (one, other) = (limited(), limited());
    let [a, b] = addresses();
    let first = node("a", &a, &config(&one, &b, &[])).ready().await;
    let second = node("b", &b, &config(&other, &a, &[])).ready().await;
    let (at_first, at_second) = (first.client().await, second.client().await);
    for client in [&at_first, &at_second] {
        sees("other node that is well", client, |shown| shown["peers"][0]["up"] == true).await;
    }
    let answer = ask(&at_first, "up/m").await;
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert_eq!(answer.headers["x-cliproxy-node"], "a", "its own refusal");
    assert_eq!((one.totals().requests, other.totals().requests), (1, 1));
    assert_eq!(metric(&at_first, "cliproxy_forwarded_total{result=\"refused\"}").await, 1);
    for result in ["answered", "refused", "unreachable", "unhealthy"] {
        let series = format!("cliproxy_forwarded_total{{result=\"{result}\"}}");
        assert_eq!(metric(&at_second, &series).await, 0, "{result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_this_very_node_is_found_out() {
    let limited = limited();
    let [a] = addresses();
    let config = config(&limited, &a, &[]);
    // By a name that it does not know itself by.
    let launch = node("a", &a, &config).set("server.advertise_url", "http://elsewhere:1");
    let alone = launch.ready().await;
    alone
        .wait_for_line("mistake", PATIENCE, |line| {
            line["level"] == "error"
                && line["msg"].as_str().is_some_and(|text| text.contains("this very node"))
        })
        .await;
    let client = alone.client().await;
    let answer = ask(&client, "up/m").await;
    assert_eq!(answer.status, 429);
    assert_eq!(limited.totals().requests, 1, "it did not ask itself");
}
