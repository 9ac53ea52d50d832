//! Section "Troubleshooting": what each step says to do shows or mends what is wrong.

use super::{
    Gateway, Providers,
    balancing::{slow, until_it_serves},
    gateway::SMART,
    page::call,
    section,
    yaml::merged,
};
use cliproxy_testkit::{
    PATIENCE,
    mock::{Behaviour, ErrorKind, Hint, Key, Rule, Script},
    poll_until,
};
use http::Method;
use serde_json::Value;

fn text(heading: &str) -> String {
    section(heading).block("yaml").text.clone()
}

fn always(behaviour: Behaviour) -> Vec<Rule> {
    vec![Rule::new(behaviour)]
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_high_error_rate_the_steps_lead_to_the_provider_and_its_errors() {
    let providers = Providers::start();
    let gateway = Gateway::start(&providers, &text("### Configure Cooldown"), &[]).await;
    providers.of("openai").set_rules(always(Behaviour::error(ErrorKind::ServerError))).expect("a sound rule");
    let failed = || async {
        // Where one provider fails, the other serves: clients see nothing of it.
        gateway.ask_times(1, SMART).await;
        (providers.of("openai").totals().requests == 5).then_some(())
    };
    poll_until("five failed calls", PATIENCE, failed).await;

    let steps = section("### High Error Rate");
    let (method, path) = call(steps.step("Check provider status: "), "");
    let told = || async {
        let status = gateway.call(method.clone(), &path).await;
        (status["providers"]["openai"]["errors_last_minute"] == 5).then_some(status)
    };
    let status = poll_until("errors in the status", PATIENCE, told).await;
    assert_eq!(status["providers"]["claude"]["errors_last_minute"], 0, "{status}");

    let (method, path) = call(steps.step("Review cooldown status"), "");
    let status = gateway.call(method, &path).await;
    assert_eq!(status["cooldown_periods"]["openai"]["reason"], "error", "{status}");
    let rest = &status["resting"]["openai"];
    assert_eq!((&rest["http_status"], &rest["errors"]), (&500.into(), &5.into()), "{status}");

    assert!(!steps.step("Check logs for error patterns").is_empty());
    let lines = gateway.process.log_lines();
    let failed = |line: &&Value| line["msg"] == "an attempt failed" && line["provider"] == "openai";
    let failed: Vec<_> = lines.iter().filter(failed).collect();
    assert_eq!(failed.len(), 5, "{lines:#?}");
    assert!(
        failed.iter().all(|line| line["error_type"] == "upstream_error" && line["status"] == 500),
        "{failed:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_not_valid_show_in_both_statuses() {
    let steps = section("### High Error Rate");
    assert!(!steps.step("Verify credentials are valid").is_empty());
    let providers = Providers::start();
    let other = Key { name: "other".into(), key: "another".into() };
    let script = Script { keys: Some(vec![other]), ..Script::default() };
    providers.of("claude").set(script).expect("the script is sound");
    let gateway = Gateway::start(&providers, &text("### Configure Cooldown"), &[]).await;
    assert_ne!(gateway.ask_of("claude").await.status, 200);
    let refused = |status: &Value| status["cooldown_periods"]["claude"]["reason"] == "credential_rejected";
    gateway.until("cooldown/status", "rejected credential", refused).await;
    let unhealthy = |status: &Value| status["providers"]["claude"]["status"] == "unhealthy";
    let status = gateway.until("providers/status", "unhealthy provider", unhealthy).await;
    assert_eq!(status["providers"]["claude"]["why"], "it refused all of its credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_stuck_in_cooldown_serves_again_once_it_is_recovered() {
    let providers = Providers::start();
    let gateway = Gateway::start(&providers, &text("### Configure Cooldown"), &[]).await;
    let hint = Hint { retry_after_s: Some(3_000), ..Hint::default() };
    let once = Rule::new(Behaviour::rate_limit(hint)).times(1);
    providers.of("claude").set_rules(vec![once]).expect("the rule is sound");
    let refused = gateway.ask_of("claude").await;
    assert_eq!(refused.status, 429, "{}", refused.text());
    let rests = |status: &Value| status["providers_in_cooldown"][0] == "claude";
    let status = gateway.until("cooldown/status", "provider in cooldown", rests).await;

    let steps = section("### Provider Always in Cooldown");
    // What the provider said is in the evidence.
    assert!(!steps.step("Check rate limits from provider").is_empty());
    assert_eq!(status["resting"]["claude/default"]["hint_seconds"], 3_000.0, "{status}");
    // Another provider serves meanwhile.
    assert!(!steps.step("Use multiple providers").is_empty());
    gateway.ask_times(4, SMART).await;

    let (method, path) = call(steps.step("Manually recover"), "claude");
    assert_eq!(method, Method::POST);
    let recovered = gateway.call(method, &path).await;
    assert_eq!((&recovered["provider"], &recovered["cooldown"]), (&"claude".into(), &Value::Null));
    gateway.until_served("claude").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_threshold_keeps_a_provider_out_of_cooldown() {
    assert!(!section("### Provider Always in Cooldown").step("Adjust cooldown thresholds").is_empty());
    let text = text("### Configure Cooldown");
    let higher = text.replace("error_threshold: 5 ", "error_threshold: 50 ");
    assert_ne!(text, higher);
    let providers = Providers::start();
    let gateway = Gateway::start(&providers, &text, &[]).await;
    gateway.process.write_config(&higher);
    gateway.process.wait_for_log("the configuration was loaded again", PATIENCE).await;
    let fault = Rule::new(Behaviour::error(ErrorKind::ServerError)).times(12);
    providers.of("claude").set_rules(vec![fault]).expect("the rule is sound");
    gateway.until_served("claude").await;
    let status = gateway.call(Method::GET, "/v0/operations/cooldown/status").await;
    assert_eq!(status["providers_in_cooldown"], serde_json::json!([]), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_high_latency_the_status_shows_who_is_slow_and_balancing_by_latency_avoids_it() {
    let steps = section("### High Latency");
    let providers = Providers::start();
    slow(&providers, "claude", 100);
    let two = merged([text("### Configure Cooldown").as_str(), text("### Round-Robin (Default)").as_str()]);
    let gateway = Gateway::start(&providers, &two, &[]).await;
    gateway.ask_times(10, SMART).await;

    assert!(!steps.step("Check provider status for issues").is_empty());
    let measured = |status: &Value| {
        let latency = |name: &str| status["providers"][name]["average_latency_ms"].as_u64().unwrap_or(0);
        latency("claude") >= 100 && latency("openai") < latency("claude")
    };
    gateway.until("providers/status", "latency of both", measured).await;

    assert!(!steps.step("Enable latency-based load balancing").is_empty());
    let balanced = merged([two.as_str(), text("### Latency-Based").as_str()]);
    gateway.process.write_config(&balanced);
    let enabled = |status: &Value| status["strategy"] == "latency";
    gateway.until("load_balancing/status", "the new strategy", enabled).await;
    until_it_serves(&gateway, &providers, "openai").await;
}

/// The guide's health checks, often enough to wait for, of an endpoint.
fn checks(endpoint: &str, timeout: &str) -> String {
    let text = text("### Configure Health Checks");
    let changed = text
        .replace("https://api.anthropic.com/v1/messages", endpoint)
        .replace("\"10s\"", &format!("\"{timeout}\""))
        .replace("\"30s\"", "\"300ms\"\n      daily_budget: 1000000");
    assert!(
        changed.contains(endpoint) && changed.contains(timeout) && changed.contains("300ms"),
        "{changed}"
    );
    changed
}

/// Waits until claude is as `status` says, and gives the words on which that was decided.
async fn becomes(gateway: &Gateway, status: &str) -> String {
    let is = |answer: &Value| answer["providers"]["claude"]["status"] == status;
    let answer = gateway.until("providers/status", status, is).await;
    answer["providers"]["claude"]["why"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_endpoint_of_health_checks_shows_and_the_right_one_mends_it() {
    let steps = section("### Health Checks Failing");
    assert!(!steps.step("Check health check endpoint is correct").is_empty());
    assert!(!steps.step("Verify network connectivity").is_empty());
    let providers = Providers::start();
    // Nothing listens on the port of discard here.
    let gateway = Gateway::start(&providers, &checks("http://127.0.0.1:9/v1/messages", "200ms"), &[]).await;
    let why = becomes(&gateway, "unhealthy").await;
    assert!(why.contains("3 probes") && why.contains("connect"), "{why}");
    // It is the only provider of its model, so that its health keeps nobody away.
    assert_eq!(gateway.ask_of("claude").await.status, 200);

    let right = format!("{}/v1/messages", providers.of("claude").base_url());
    gateway.process.write_config(checks(&right, "200ms"));
    becomes(&gateway, "healthy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_a_health_check_is_refused_with_show() {
    assert!(!section("### Health Checks Failing").step("Check credentials are valid").is_empty());
    let providers = Providers::start();
    let other = Key { name: "other".into(), key: "another".into() };
    let script = Script { keys: Some(vec![other]), ..Script::default() };
    providers.of("claude").set(script).expect("the script is sound");
    let models = format!("{}/v1/models", providers.of("claude").base_url());
    let gateway = Gateway::start(&providers, &checks(&models, "200ms"), &[]).await;
    let why = becomes(&gateway, "unhealthy").await;
    assert!(why.contains("401"), "{why}");
    providers.of("claude").set(Script::default()).expect("the script is sound");
    becomes(&gateway, "healthy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_that_is_too_short_shows_and_a_longer_one_mends_it() {
    assert!(!section("### Health Checks Failing").step("Adjust health check timeout").is_empty());
    let providers = Providers::start();
    slow(&providers, "claude", 150);
    let models = format!("{}/v1/models", providers.of("claude").base_url());
    let gateway = Gateway::start(&providers, &checks(&models, "50ms"), &[]).await;
    let why = becomes(&gateway, "unhealthy").await;
    assert!(why.contains("timeout"), "{why}");
    gateway.process.write_config(checks(&models, "5s"));
    becomes(&gateway, "healthy").await;
}
