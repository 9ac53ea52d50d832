//! A primary and its backup with a control plane in common, which says who serves.

use super::*;
use cliproxy_testkit::{mock::Behaviour, now, provider};
use serde_json::json;
use std::time::Duration;

/// Longer than the test: only the lease can move the role.
const TIMEOUT: &str = "60s";

struct Pair {
    control: Process,
    primary: Process,
    backup: Process,
    at_primary: Client,
    at_backup: Client,
}

async fn pair(timeout: &str) -> Pair {
    let up = provider("up", Behaviour::default());
    let served = Config::new().provider("up", "openai", &up.base_url());
    let control = Launch::new(CLIPROXY, "controlplane").config(served).ready().await;
    let endpoints = json!([format!("http://{}", control.nodes().await)]);
    let [a, b] = addresses();
    let failover = json!({
        "mode": "active_passive",
        "backup_url": format!("http://{b}"),
        "health_check_interval": "500ms",
        "failover_timeout": timeout,
    });
    let config =
        Config::new().set(&["server", "failover"], failover).set(&["control_plane", "endpoints"], endpoints);
    let (primary, backup) = tokio::join!(node("a", &a, &config).ready(), node("b", &b, &config).ready());
    let (at_primary, at_backup) = (primary.client().await, backup.client().await);
    let pair = Pair { control, primary, backup, at_primary, at_backup };
    becomes("active primary", &pair.at_primary, true).await;
    pair
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_the_role_within_five_seconds_of_the_primarys_death() {
    let mut pair = pair(TIMEOUT).await;
    let shown = sees("lease", &pair.at_primary, |shown| shown["role_by"] == "lease").await;
    assert_eq!((&shown["part"], &shown["role"]), (&"primary".into(), &"active".into()), "{shown}");
    // It asks for the role all the time, and does not get it.
    sees("backup that asks", &pair.at_backup, |shown| shown["role_by"] == "lease").await;
    assert_eq!(is_active(&pair.at_backup).await, Some(false));
    pair.primary.kill9();
    let killed = now();
    becomes("active backup", &pair.at_backup, true).await;
    let took = killed.elapsed();
    println!("a backup with a control plane took over {took:?} after the kill");
    assert!(took <= Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_stops_gives_the_role_up_and_gets_it_back_once_it_is_well() {
    let mut pair = pair("2s").await;
    sees("backup that asks", &pair.at_backup, |shown| shown["role_by"] == "lease").await;
    pair.primary.terminate();
    let stopped = now();
    becomes("active backup", &pair.at_backup, true).await;
    let took = stopped.elapsed();
    println!("a backup with a control plane took over {took:?} after the signal");
    assert!(took <= Duration::from_secs(3), "{took:?}");
    assert!(pair.primary.wait_exit(PATIENCE).await.success());

    back(&mut pair.primary).await;
    let handed_back = || async {
        let roles = (is_active(&pair.at_primary).await, is_active(&pair.at_backup).await);
        assert_ne!(roles, (Some(true), Some(true)), "both serve");
        (roles == (Some(true), Some(false))).then_some(())
    };
    poll_until("role that is handed back", PATIENCE, handed_back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_primary_goes_on_when_the_control_plane_dies() {
    let mut pair = pair(TIMEOUT).await;
    sees("backup that asks", &pair.at_backup, |shown| shown["role_by"] == "lease").await;
    pair.control.kill9();
    let fell_back = || async {
        let shown = pair.at_primary.get("/v0/operations/failover").await.json();
        assert_eq!(shown["role"], "active", "at no time is there nobody: {shown}");
        (shown["role_by"] == "checks").then_some(())
    };
    poll_until("primary that goes by checks", PATIENCE, fell_back).await;
    assert_eq!(is_active(&pair.at_primary).await, Some(true));
    assert_eq!(is_active(&pair.at_backup).await, Some(false));
    drop(pair.backup);
}
