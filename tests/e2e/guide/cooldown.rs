//! Section "Intelligent Cooldown".

use super::{
    Gateway, Providers, section,
    shape::{has_what_is_shown, time},
};
use cliproxy_testkit::mock::{Behaviour, ErrorKind, Hint, Rule};
use serde_json::Value;
use std::time::Duration;

const CONFIGURE: &str = "### Configure Cooldown";
const MONITOR: &str = "### Monitor Cooldown Status";
const CONTROL: &str = "### Manual Cooldown Control";

async fn configured(providers: &Providers) -> Gateway {
    Gateway::start(providers, &section(CONFIGURE).block("yaml").text, &[]).await
}

/// How long a period is in all, as the answer tells it.
fn length(period: &Value) -> Duration {
    time(&period["ends_at"]).since(time(&period["started_at"]))
}

/// Has a provider fail until it rests, and gives its period as the guide's own command shows it.
async fn fail_five_times(gateway: &Gateway, providers: &Providers, name: &str, error: Behaviour) -> Value {
    let provider = providers.of(name);
    provider.set_rules(vec![Rule::new(error)]).expect("the rule is sound");
    while provider.totals().requests < 5 {
        let answer = gateway.ask_of(name).await;
        assert_ne!(answer.status, 200, "{}", answer.text());
    }
    let rests = |status: &Value| !status["cooldown_periods"][name].is_null();
    gateway.until("cooldown/status", "provider in cooldown", rests).await;
    let monitor = section(MONITOR);
    let status = gateway.run(monitor.block("bash")).await;
    let mut shown: Value = serde_json::from_str(&monitor.block("json").text).expect("it is JSON");
    // The example is of claude.
    let period = shown["cooldown_periods"]["claude"].take();
    shown["cooldown_periods"] = serde_json::json!({ name: period });
    has_what_is_shown(&shown, &status);
    assert!(
        status["providers_in_cooldown"].as_array().is_some_and(|all| all.contains(&name.into())),
        "{status}"
    );
    status["cooldown_periods"][name].clone()
}

/// Five errors in a minute make a rest of this length for this reason; while it goes on the provider is not asked, and
/// clients are told this status.
async fn rests(name: &str, error: ErrorKind, reason: &str, minutes: u64, status: u16) {
    let providers = Providers::start();
    let gateway = configured(&providers).await;
    let behaviour = match error {
        ErrorKind::RateLimit => Behaviour::rate_limit(Hint::default()),
        other => Behaviour::error(other),
    };
    let period = fail_five_times(&gateway, &providers, name, behaviour).await;
    assert_eq!(period["reason"], reason);
    assert_eq!(length(&period), Duration::from_secs(60 * minutes), "{period}");
    let remaining = period["remaining_seconds"].as_u64().expect("a whole number");
    assert!(remaining > 60 * minutes - 20 && remaining <= 60 * minutes, "{period}");
    let answer = gateway.ask_of(name).await;
    assert_eq!(answer.status, status, "{}", answer.text());
    let wait: u64 = answer.header("retry-after").parse().expect("a wait");
    assert!(wait > 60 * minutes - 20 && wait <= 60 * minutes, "{wait}");
    assert_eq!(providers.of(name).totals().requests, 5, "it is asked no more");
    let other = if name == "claude" { "openai" } else { "claude" };
    assert_eq!(gateway.ask_of(other).await.status, 200, "the other does not rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_429_in_a_minute_rest_claude_for_ten_minutes() {
    rests("claude", ErrorKind::RateLimit, "rate_limit", 10, 429).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_429_in_a_minute_rest_openai_for_five_minutes() {
    rests("openai", ErrorKind::RateLimit, "rate_limit", 5, 429).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_other_errors_in_a_minute_rest_claude_for_two_minutes() {
    rests("claude", ErrorKind::ServerError, "error", 2, 503).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_other_errors_in_a_minute_rest_openai_for_one_minute() {
    rests("openai", ErrorKind::Overloaded, "error", 1, 503).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forced_to_rest_is_not_asked_until_it_is_forced_to_recover() {
    let providers = Providers::start();
    let gateway = configured(&providers).await;
    assert_eq!(gateway.ask_of("claude").await.status, 200);
    let control = section(CONTROL);
    let [force, recover] = control.blocks("bash").collect::<Vec<_>>()[..] else {
        panic!("the section shows how to force and how to recover");
    };

    let forced = gateway.run(force).await;
    assert_eq!(forced["provider"], "claude", "{forced}");
    let monitor = section(MONITOR);
    let status = gateway.run(monitor.block("bash")).await;
    has_what_is_shown(&serde_json::from_str(&monitor.block("json").text).expect("it is JSON"), &status);
    assert_eq!(status["providers_in_cooldown"], serde_json::json!(["claude"]));
    let period = &status["cooldown_periods"]["claude"];
    assert_eq!(period["reason"], "manual");
    assert_eq!(length(period), Duration::from_secs(600), "{period}");
    let remaining = period["remaining_seconds"].as_u64().expect("a whole number");
    assert!(remaining > 590 && remaining <= 600, "{period}");
    let refused = gateway.until_refused("claude").await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    let wait: u64 = refused.header("retry-after").parse().expect("a wait");
    assert!(wait > 580 && wait <= 600, "{wait}");
    let asked = providers.of("claude").totals().requests;
    assert_eq!(gateway.ask_of("claude").await.status, 503);
    assert_eq!(providers.of("claude").totals().requests, asked, "it is not asked");

    let recovered = gateway.run(recover).await;
    assert_eq!(recovered["provider"], "claude", "{recovered}");
    let status = gateway.run(monitor.block("bash")).await;
    assert_eq!(status["providers_in_cooldown"], serde_json::json!([]), "{status}");
    gateway.until_served("claude").await;
    assert_eq!(gateway.actions("claude").await, ["cooldown_forced", "recovered"]);
}
