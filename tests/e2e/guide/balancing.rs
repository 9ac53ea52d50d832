//! Section "Load Balancing".

use super::{
    Block, Gateway, Providers,
    gateway::{SMART, model, named},
    section,
};
use cliproxy_testkit::{
    PATIENCE,
    mock::{Latency, Rule},
    poll_until,
};
use http::Method;
use serde_json::Value;

const SECTION: &str = "## Load Balancing";

fn block(heading: &str) -> Block {
    section(heading).block("yaml").clone()
}

/// The status of load balancing.
async fn status(gateway: &Gateway) -> Value {
    gateway.call(Method::GET, "/v0/operations/load_balancing/status").await
}

/// Starts with a block whose strategy must then show.
async fn with_strategy(providers: &Providers, heading: &str, strategy: &str) -> Gateway {
    let block = block(heading);
    assert!(block.text.contains(&format!("strategy: \"{strategy}\"")), "{}", block.text);
    let gateway = Gateway::start(providers, &block.text, &[]).await;
    let status = status(&gateway).await;
    assert_eq!((&status["source"], &status["strategy"]), (&"cluster".into(), &strategy.into()), "{status}");
    let alias = &status["models"][SMART];
    assert_eq!(alias["strategy"], strategy, "{status}");
    assert_eq!(alias["targets"].as_array().map(Vec::len), Some(named(&block.text).len()), "{status}");
    gateway
}

/// Who would serve the next request, and the words that say why.
async fn explained(gateway: &Gateway) -> (String, String) {
    let answer = gateway.call(Method::GET, &format!("/v0/operations/explain?model={SMART}")).await;
    let decision = &answer["decision"];
    let first = decision["candidates"].as_array().and_then(|all| all.iter().find(|one| one["place"] == 1));
    let provider = first.and_then(|first| first["provider"].as_str());
    let provider = provider.unwrap_or_else(|| panic!("nobody is first: {answer}"));
    (provider.to_owned(), decision["reason"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_strategy_that_the_guide_lists_can_be_chosen() {
    let choose = block("### Choose a Strategy");
    let listed = choose.text.split("Options: ").nth(1).expect("the comment lists them").trim();
    let providers = Providers::start();
    for strategy in listed.split(", ") {
        let text = choose.text.replace("\"round_robin\"", &format!("\"{strategy}\""));
        let gateway = Gateway::start(&providers, &text, &[]).await;
        assert_eq!(status(&gateway).await["strategy"], strategy);
        gateway.ask_times(1, SMART).await;
    }
    assert_eq!(listed.split(", ").count(), 4);
    assert_eq!(section(SECTION).blocks("yaml").count(), 6, "each has a test here");
}

#[tokio::test(flavor = "multi_thread")]
async fn round_robin_rotates_evenly_through_the_providers() {
    let providers = Providers::start();
    let gateway = with_strategy(&providers, "### Round-Robin (Default)", "round_robin").await;
    gateway.ask_times(30, SMART).await;
    assert_eq!(providers.calls(&["claude", "openai", "gemini"]), [10, 10, 10]);
    let by_default = Gateway::start(&providers, "{}", &[]).await;
    assert_eq!(status(&by_default).await["strategy"], "round_robin");
}

#[tokio::test(flavor = "multi_thread")]
async fn quota_aware_uses_the_provider_with_most_quota_left() {
    let providers = Providers::start();
    let gateway = with_strategy(&providers, "### Quota-Aware", "quota_aware").await;
    gateway.ask_times(10, SMART).await;
    assert_eq!(providers.calls(&["claude", "openai"]), [0, 10], "openai has 2,000,000, claude 1,000,000");
    let (first, reason) = explained(&gateway).await;
    assert_eq!(first, "openai", "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_uses_the_provider_whose_tokens_cost_least() {
    let providers = Providers::start();
    let gateway = with_strategy(&providers, "### Cost-Based", "cost").await;
    gateway.ask_times(10, SMART).await;
    assert_eq!(providers.calls(&["claude", "openai"]), [10, 0], "claude's prompts cost less");
    let (first, reason) = explained(&gateway).await;
    assert_eq!(first, "claude", "{reason}");
}

/// Has a provider take so long for an answer.
pub fn slow(providers: &Providers, name: &str, milliseconds: u64) {
    let latency = Latency { headers_ms: milliseconds, ..Latency::default() };
    providers.of(name).set_rules(vec![Rule::default().latency(latency)]).expect("the rule is sound");
}

/// Asks until of twenty requests at least nineteen went to one provider: one in twenty may explore.
pub async fn until_it_serves(gateway: &Gateway, providers: &Providers, name: &str) {
    let served = || async {
        let before = providers.of(name).totals().requests;
        gateway.ask_times(20, SMART).await;
        (providers.of(name).totals().requests >= before + 19).then_some(())
    };
    poll_until(&format!("nineteen of twenty requests at {name}"), PATIENCE, served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_uses_the_provider_that_answered_fastest_lately() {
    let providers = Providers::start();
    slow(&providers, "claude", 60);
    slow(&providers, "openai", 60);
    let gateway = with_strategy(&providers, "### Latency-Based", "latency").await;
    until_it_serves(&gateway, &providers, "gemini").await;
    // What nodes measured reaches the control plane each second.
    let told = || async { (explained(&gateway).await.0 == "gemini").then_some(()) };
    poll_until("explanation by what was measured", PATIENCE, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_number_is_a_higher_priority_and_the_next_stands_in() {
    let providers = Providers::start();
    let block = block("### Provider Priority");
    let gateway = Gateway::start(&providers, &block.text, &[]).await;
    let names = ["claude", "gemini", "openai"];
    for (index, name) in names.into_iter().enumerate() {
        let shown = status(&gateway).await;
        assert_eq!(shown["providers"][name]["priority"], index + 1, "{shown}");
        let served = || async {
            let answer = gateway.ask(SMART).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            (answer.header("x-cliproxy-provider") == name).then_some(answer)
        };
        let answer = poll_until(name, PATIENCE, served).await;
        assert_eq!(answer.header("x-cliproxy-model"), model(name));
        let before = providers.of(name).totals().requests;
        gateway.ask_times(5, SMART).await;
        assert_eq!(providers.of(name).totals().requests, before + 5, "{name} has the highest priority left");
        gateway.call(Method::POST, &format!("/v0/operations/providers/{name}/cooldown")).await;
    }
}
