//! Section "Health Monitoring", with self-healing.

use super::{
    Gateway, Providers, section,
    shape::{has_what_is_shown, time},
    yaml::merged,
};
use cliproxy_testkit::{
    PATIENCE,
    mock::{Behaviour, ErrorKind, Rule},
    poll_until,
};
use http::Method;
use serde_json::Value;

const CONFIGURE: &str = "### Configure Health Checks";
const MONITOR: &str = "### Monitor Provider Health";
const HEALING: &str = "### Self-Healing";
/// Checks that a test can wait for.
const OFTEN: [&str; 3] = [
    "server.operations.health_check.interval=200ms",
    "server.operations.health_check.timeout=150ms",
    "server.operations.health_check.daily_budget=1000000",
];

/// The address that the guide's endpoint is at.
const ANTHROPIC: &str = "https://api.anthropic.com";

/// The guide's configuration of health checks, with its endpoint at the simulated provider.
fn checks(providers: &Providers) -> String {
    let text = section(CONFIGURE).block("yaml").text.clone();
    assert!(text.contains(ANTHROPIC), "{text}");
    text.replace(ANTHROPIC, &providers.of("claude").base_url())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_answers_405_is_healthy() {
    let providers = Providers::start();
    let gateway = Gateway::start(&providers, &checks(&providers), &OFTEN).await;
    let checked = |status: &Value| status["providers"]["claude"]["status"] == "healthy";
    let status = gateway.until("providers/status", "healthy provider", checked).await;
    let claude = &status["providers"]["claude"];
    assert_eq!(
        (&claude["in_cooldown"], &claude["uptime_percent"]),
        (&false.into(), &100.0.into()),
        "{claude}"
    );
    assert_eq!(claude["requests_last_minute"], 0, "a check is no request: {claude}");
    let log = providers.of("claude").log();
    let asked = log.entries.first().expect("it was asked");
    assert_eq!((&*asked.path, asked.status), ("/v1/messages", 405), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_all_providers_has_what_the_guide_shows() {
    let providers = Providers::start();
    let both = [section("### Configure Cooldown").block("yaml").text.clone(), checks(&providers)];
    let gateway = Gateway::start(&providers, &merged(both.iter().map(String::as_str)), &OFTEN).await;
    gateway.ask_of("claude").await;
    let fault = Rule::new(Behaviour::error(ErrorKind::ServerError));
    providers.of("openai").set_rules(vec![fault]).expect("the rule is sound");
    let asked = || {
        let log = providers.of("openai").log();
        log.totals.requests - log.probes.requests
    };
    while asked() < 5 {
        gateway.ask_of("openai").await;
    }
    let seen = |status: &Value| {
        let (claude, openai) = (&status["providers"]["claude"], &status["providers"]["openai"]);
        claude["requests_last_minute"] == 1
            && claude["status"] == "healthy"
            && openai["status"] == "unhealthy"
            && openai["in_cooldown"] == true
            && openai["errors_last_minute"] == 5
            && openai["uptime_percent"].as_f64().is_some_and(|percent| percent < 100.0)
    };
    gateway.until("providers/status", "what was done", seen).await;
    let monitor = section(MONITOR);
    let status = gateway.run(monitor.block("bash")).await;
    let shown: Value = serde_json::from_str(&monitor.block("json").text).expect("it is JSON");
    has_what_is_shown(&shown, &status);
    let (claude, openai) = (&status["providers"]["claude"], &status["providers"]["openai"]);
    assert_eq!(
        (&claude["in_cooldown"], &claude["errors_last_minute"]),
        (&false.into(), &0.into()),
        "{claude}"
    );
    assert_eq!(openai["average_latency_ms"], 0, "nothing was answered: {openai}");
    assert!(time(&status["as_of"]).since(time(&claude["last_check"])).as_secs() < 60, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unhealthy_provider_recovers_by_itself_and_the_audit_log_tells_how() {
    let providers = Providers::start();
    let both = [checks(&providers), section(HEALING).block("yaml").text.clone()];
    // The checks are as the guide has them, each 30 s: what is seen here comes from requests and from the healing.
    let over = ["server.operations.self_healing.check_interval=1s", "server.retries.max_attempts=1"];
    let gateway = Gateway::start(&providers, &merged(both.iter().map(String::as_str)), &over).await;
    // The first check of all; the next one is not before half a minute is over, and so not between the failures.
    let checked = |status: &Value| status["providers"]["claude"]["status"] == "healthy";
    gateway.until("providers/status", "first check", checked).await;
    let claude = providers.of("claude");
    let fault = Rule::new(Behaviour::error(ErrorKind::ServerError));
    claude.set_rules(vec![fault]).expect("the rule is sound");
    for _ in 0..3 {
        assert_ne!(gateway.ask_of("claude").await.status, 200);
    }
    // The guide's endpoint answers all the while, so that the probe of the first recovery does.
    let recovered = || async {
        let actions = gateway.actions("claude").await;
        actions.iter().any(|action| action == "recovery_succeeded").then_some(actions)
    };
    let actions = poll_until("recovery in the audit log", PATIENCE, recovered).await;
    let expected = [
        "recovery_connections_dropped",
        "recovery_name_resolved",
        "recovery_credentials_reloaded",
        "recovery_probed",
    ];
    for action in expected {
        assert!(actions.iter().any(|known| known == action), "no {action}: {actions:?}");
    }
    let changes =
        gateway.call(Method::GET, "/v0/operations/audit?provider=claude&action=health_changed").await;
    let changes: Vec<_> = changes["entries"].as_array().into_iter().flatten().collect();
    let [healthy, unhealthy, ..] = changes[..] else { panic!("{changes:?}") };
    assert_eq!(unhealthy["reason"], "3 calls in a row failed (server errors)", "{unhealthy}");
    for (change, status) in [(unhealthy, "unhealthy"), (healthy, "healthy")] {
        let after: Value =
            serde_json::from_str(change["after"].as_str().expect("a text")).expect("it is JSON");
        assert_eq!(after["status"], status, "{change}");
    }

    claude.set_rules(Vec::new()).expect("no rule is sound");
    gateway.until_served("claude").await;
    let healthy = |status: &Value| status["providers"]["claude"]["status"] == "healthy";
    gateway.until("providers/status", "healthy provider", healthy).await;
}
