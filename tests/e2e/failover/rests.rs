//! A provider that says when to come back is not asked before.

use super::with_keys;
use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Client, Config, Launch, PATIENCE,
    mock::{Behaviour, Hint, MockProvider, Rule},
    now, poll_until,
};
use futures_util::future::join_all;
use std::time::Duration;

/// Each hint, in an API whose providers give it, and the rest that it asks for.
fn hints() -> [(&'static str, Api, Hint, Duration); 7] {
    let none = Hint::default();
    let two = Duration::from_secs(2);
    [
        ("retry-after", Api::Chat, Hint { retry_after_s: Some(2), ..none }, two),
        // A date has whole seconds: up to one of them may be gone already.
        ("retry-after-date", Api::Messages, Hint { retry_after_date_s: Some(3), ..none }, two),
        (
            "retry-after-ms",
            Api::Responses,
            Hint { retry_after_ms: Some(1_500), ..none },
            Duration::from_millis(1_500),
        ),
        ("anthropic-reset", Api::Messages, Hint { anthropic_reset_s: Some(3), ..none }, two),
        ("x-ratelimit-reset", Api::Chat, Hint { x_ratelimit_reset_ms: Some(2_000), ..none }, two),
        ("retry-info", Api::Gemini, Hint { retry_info_s: Some(2.0), ..none }, two),
        ("retry-after-gemini", Api::Gemini, Hint { retry_after_s: Some(2), ..none }, two),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_with_any_hint_rests_only_that_credential_and_only_until_then() {
    let names: Vec<String> =
        hints().iter().flat_map(|(name, ..)| [format!("{name}-first"), format!("{name}-second")]).collect();
    let mock = with_keys(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut config = Config::new();
    let mut rules = Vec::new();
    for (name, api, hint, _) in hints() {
        let (first, second) = (format!("{name}-first"), format!("{name}-second"));
        config = config
            .provider(name, api.kind(), &mock.base_url())
            .credentials(name, &[(&first, &format!("sk-{first}")), (&second, &format!("sk-{second}"))]);
        rules.push(Rule::new(Behaviour::rate_limit(hint)).for_key(first).times(1));
    }
    mock.set_rules(rules).unwrap();
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;
    join_all(hints().map(|(name, api, _, rest)| one_rests(&client, &mock, name, api, rest))).await;
}

async fn one_rests(client: &Client, mock: &MockProvider, name: &str, api: Api, rest: Duration) {
    let first = format!("{name}-first");
    let calls = || mock.log().of_key(&first).requests;
    let ask = || async {
        let (path, body) = api.request(&format!("{name}/m"), false);
        let answer = client.post(&path, body).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    };
    let sent_away = || async {
        ask().await;
        (calls() == 1).then_some(())
    };
    let before = now();
    poll_until("call that is sent away", PATIENCE, sent_away).await;
    // The rest began after `before`, so until then it cannot be over.
    let mut asked = 0;
    while now() < before + rest - Duration::from_millis(100) {
        ask().await;
        // Read before the clock: a call that the end of the rest allowed would be seen.
        let seen = calls();
        assert!(seen == 1 || now() >= before + rest, "{name}: the credential was asked during its rest");
        asked += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(asked > 3, "{name}: asked {asked} times");
    let again = || async {
        ask().await;
        (calls() >= 2).then_some(())
    };
    poll_until(&format!("call after the rest of {name}"), PATIENCE, again).await;
    assert!(now() >= before + rest);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_all_rest_the_client_gets_429_with_the_wait_and_no_provider_is_called() {
    for api in Api::ALL {
        let mock = with_keys(&["first", "second"]);
        let hint = Hint { retry_after_s: Some(30), ..Hint::default() };
        mock.set_rules(vec![Rule::new(Behaviour::rate_limit(hint))]).unwrap();
        let config = Config::new()
            .provider("up", api.kind(), &mock.base_url())
            .credentials("up", &[("first", "sk-first"), ("second", "sk-second")]);
        let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
        let client = gateway.client().await;
        let (path, body) = api.request("up/m", false);
        let answer = client.post(&path, body.clone()).await;
        assert_eq!(answer.status, 429, "{api:?}: {}", answer.text());
        assert_eq!(mock.totals().requests, 2, "each key was asked once");
        for stream in [false, true] {
            let (path, body) = api.request("up/m", stream);
            let answer = client.post(&path, body).await;
            assert_eq!(answer.status, 429, "{api:?}: {}", answer.text());
            let (_, message) = api.error(&answer.json());
            for key in ["up/first (cooldown: rate_limit, ", "up/second (cooldown: rate_limit, "] {
                assert!(message.contains(key), "{api:?}: {message}");
            }
            let wait: u64 = answer.header("retry-after").parse().unwrap();
            assert!((20..=30).contains(&wait), "{api:?}: {wait}");
        }
        assert_eq!(mock.totals().requests, 2, "a resting key was asked");
        // Gemini says of which model it speaks, so that others may be asked for with the same keys.
        let one_model = api == Api::Gemini;
        let resting = || async {
            let status = client.get("/v0/operations/cooldown/status").await.json();
            let subject = |key: &str| if one_model { format!("up/{key}/m") } else { format!("up/{key}") };
            let all_rest =
                ["first", "second"].iter().all(|key| status["resting"][subject(key)]["stage"] == "resting");
            (status["source"] == "cluster" && all_rest).then_some(status)
        };
        let status = poll_until("rests of both keys", PATIENCE, resting).await;
        let out: &[&str] = if one_model { &[] } else { &["up"] };
        assert_eq!(status["providers_in_cooldown"], serde_json::json!(out), "{api:?}: {status}");
    }
}
