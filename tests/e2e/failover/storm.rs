//! Many requests while one of two providers fails in one way: all succeed, and every count is true.

use super::{gateway, relentless, request, smart};
use crate::apis::Api;
use cliproxy_testkit::{
    Answer, Client, Config, PATIENCE, Process, Samples,
    mock::{Behaviour, ErrorKind, MockProvider, Point, Script},
    poll_until, provider,
};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

const AT_ONCE: usize = 32;
const KINDS: [&str; 3] = ["openai", "anthropic", "gemini"];
/// `cooldown.error_threshold` where nothing is configured.
const BEFORE_A_REST: u64 = 5;

/// Sends `count` requests, half of them streams, and gives what went wrong.
async fn storm(client: &Client, count: usize) -> Vec<String> {
    let one = |turn: usize| async move {
        let (api, stream) = request(turn);
        let (path, body) = api.request(&smart(api), stream);
        match client.json(&path, body).send().await {
            Ok(answer) => complaint(api, stream, &answer),
            Err(error) => Some(format!("{api:?}, stream {stream}: {error:#}")),
        }
    };
    stream::iter(0..count).map(one).buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await
}

/// Says what is wrong with an answer, when something is.
fn complaint(api: Api, stream: bool, answer: &Answer) -> Option<String> {
    let say = |what: &str| Some(format!("{api:?}, stream {stream}: {what}: {}", answer.text()));
    if answer.status != 200 {
        return say(&format!("status {}", answer.status));
    }
    if !answer.text().contains("good") {
        return say("the text is not the good provider's");
    }
    if !stream {
        return None;
    }
    let events = answer.events();
    let last = events.last()?;
    let ended = match api {
        Api::Chat => last.data == "[DONE]",
        Api::Responses => last.name.as_deref() == Some("response.completed"),
        Api::Messages => last.name.as_deref() == Some("message_stop"),
        Api::Gemini => last.json()["candidates"][0]["finishReason"] == "STOP",
    };
    if ended { None } else { say("the stream has no proper end") }
}

/// Runs the storm against a provider that does `fault` and one that answers well, and holds everything that is
/// told against what the two have seen. `outcome` is the word for the fault. Gives the number of calls that failed.
async fn all_are_served(fault: Behaviour, outcome: &str, count: usize, config: Config) -> u64 {
    let (bad, good) = (provider("bad", fault), provider("good", Script::default()));
    let (gateway, client) = gateway(&[("bad", &bad), ("good", &good)], config).await;
    let complaints = storm(&client, count).await;
    assert!(complaints.is_empty(), "{} of {count} failed, such as {}", complaints.len(), complaints[0]);

    let failed = bad.wait_for(PATIENCE, |totals| totals.in_flight == 0).await.unwrap().requests;
    assert_eq!(good.totals().completed, count as u64);
    let metrics = Samples::parse(client.get("/metrics").await.text());
    metrics_are_true(&metrics, [&bad, &good], outcome, count);
    status_is_true(&gateway, &client, [&bad, &good]).await;
    failed
}

/// As it is when nothing is configured: each provider that fails rests after its fifth error, so it gets no more calls
/// than those and the ones that were under way.
async fn with_the_defaults(fault: Behaviour, outcome: &str, count: usize) {
    let failed = all_are_served(fault, outcome, count, Config::new()).await;
    let providers = KINDS.len() as u64;
    assert!(failed >= providers * BEFORE_A_REST, "{failed} calls are too few for a rest of each");
    let most = providers * BEFORE_A_REST + AT_ONCE as u64;
    assert!(failed <= most, "{failed} calls went to the provider that fails");
}

/// Without rests, half of all calls fail to the end, and each is made good elsewhere.
async fn without_rests(fault: Behaviour, outcome: &str, count: usize, config: Config) {
    let failed = all_are_served(fault, outcome, count, config).await;
    // Round robin sends about every second request to the one that fails first.
    assert!(failed >= count as u64 / 3, "only {failed} calls went to the provider that fails");
}

fn metrics_are_true(metrics: &Samples, [bad, good]: [&MockProvider; 2], outcome: &str, count: usize) {
    let (mut attempts, mut requests) = (0.0, 0.0);
    for kind in KINDS {
        let failed = calls(bad, kind);
        let served = calls(good, kind);
        let (bad, good) = (format!("{kind}-bad"), format!("{kind}-good"));
        let sum = |name: &str, labels: &[(&str, &str)]| metrics.sum(name, labels);
        let attempt = |provider, outcome| {
            sum("cliproxy_attempts_total", &[("provider", provider), ("outcome", outcome)])
        };
        assert_eq!(attempt(&bad, outcome), failed, "{kind}");
        assert_eq!(attempt(&good, "success"), served, "{kind}");
        let error = |provider, error_type| {
            sum("cliproxy_errors_total", &[("provider", provider), ("error_type", error_type)])
        };
        assert_eq!(error(&bad, outcome), failed, "{kind}");
        let request =
            |provider, status| sum("cliproxy_requests_total", &[("provider", provider), ("status", status)]);
        assert_eq!(request(&good, "success"), served, "{kind}");
        attempts += failed + served;
        requests += served;
    }
    assert_eq!(requests, count as f64);
    // And nothing else was counted anywhere.
    assert_eq!(metrics.sum("cliproxy_attempts_total", &[]), attempts);
    assert_eq!(metrics.sum("cliproxy_errors_total", &[]), attempts - requests);
    assert_eq!(metrics.sum("cliproxy_requests_total", &[]), requests);
}

/// Gives the calls that a provider has seen in the API of this kind.
fn calls(mock: &MockProvider, kind: &str) -> f64 {
    let of_kind =
        |entry: &&cliproxy_testkit::mock::Entry| entry.family.is_some_and(|family| family.as_str() == kind);
    mock.log().entries.iter().filter(of_kind).count() as f64
}

async fn status_is_true(gateway: &Process, client: &Client, [bad, good]: [&MockProvider; 2]) {
    let expected: Vec<(String, f64, f64)> = KINDS
        .into_iter()
        .flat_map(|kind| {
            let failed = calls(bad, kind);
            [(format!("{kind}-bad"), failed, failed), (format!("{kind}-good"), calls(good, kind), 0.0)]
        })
        .collect();
    let shown = || async {
        let status = client.get("/v0/operations/providers/status").await.json();
        expected.iter().all(|expected| says(&status, expected)).then_some(status)
    };
    let status =
        poll_until(&format!("status with (provider, requests, errors) {expected:?}"), PATIENCE, shown).await;
    assert_eq!(status["source"], "cluster");
    let judged = || async {
        let status = client.get("/v0/operations/providers/status").await.json();
        let is = |kind, which, state| status["providers"][format!("{kind}-{which}")]["status"] == state;
        KINDS.iter().all(|kind| is(kind, "good", "healthy") && is(kind, "bad", "unhealthy")).then_some(())
    };
    poll_until("judgement of both providers", PATIENCE, judged).await;
    let operators = Client::new(gateway.operators().await);
    let elsewhere = operators.get("/v0/operations/providers/status").await.json();
    assert!(expected.iter().all(|expected| says(&elsewhere, expected)), "{elsewhere}");
}

fn says(status: &Value, (provider, requests, errors): &(String, f64, f64)) -> bool {
    let provider = &status["providers"][provider];
    provider["requests_last_minute"].as_f64() == Some(*requests)
        && provider["errors_last_minute"].as_f64() == Some(*errors)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_succeed_while_one_of_two_providers_answers_500() {
    let fault = Behaviour::error(ErrorKind::ServerError);
    with_the_defaults(fault, "upstream_error", 1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_requests_succeed_with_the_defaults_in_whichever_way_one_of_two_providers_fails() {
    let faults = [
        (Behaviour::Reset { at: Point::AfterEvents(0) }, "stream_broken"),
        (Behaviour::Reset { at: Point::BeforeHeaders }, "connect_failed"),
        (Behaviour::Malformed { after_events: 0 }, "malformed_reply"),
        (Behaviour::Html { status: 502 }, "upstream_error"),
        (Behaviour::error(ErrorKind::Overloaded), "overloaded"),
    ];
    for (fault, outcome) in faults {
        with_the_defaults(fault, outcome, 200).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_succeed_while_one_of_two_providers_answers_500_and_never_rests() {
    let fault = Behaviour::error(ErrorKind::ServerError);
    without_rests(fault, "upstream_error", 1_000, relentless()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_succeed_while_one_of_two_providers_resets_before_its_first_event() {
    let fault = Behaviour::Reset { at: Point::AfterEvents(0) };
    without_rests(fault, "stream_broken", 1_000, relentless()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_requests_succeed_while_one_of_two_providers_resets_before_its_headers() {
    let fault = Behaviour::Reset { at: Point::BeforeHeaders };
    without_rests(fault, "connect_failed", 1_000, relentless()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_requests_succeed_while_one_of_two_providers_hangs_before_its_headers() {
    let fault = Behaviour::Hang { at: Point::BeforeHeaders };
    without_rests(fault, "timeout", 1_000, relentless().timeout("first_byte", "400ms")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_requests_succeed_while_one_of_two_providers_hangs_before_its_first_event() {
    let fault = Behaviour::Hang { at: Point::AfterEvents(0) };
    without_rests(fault, "timeout", 1_000, relentless().timeout("idle", "400ms")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_requests_succeed_while_one_of_two_providers_sends_broken_json() {
    let fault = Behaviour::Malformed { after_events: 0 };
    without_rests(fault, "malformed_reply", 200, relentless()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_requests_succeed_while_one_of_two_providers_answers_with_a_page_of_its_load_balancer() {
    without_rests(Behaviour::Html { status: 502 }, "upstream_error", 200, relentless()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_requests_succeed_while_one_of_two_providers_is_overloaded() {
    let fault = Behaviour::error(ErrorKind::Overloaded);
    without_rests(fault, "overloaded", 200, relentless()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_requests_succeed_while_one_of_two_providers_ends_its_answers_before_any_content() {
    let (bad, good) =
        (provider("bad", Behaviour::Truncate { after_events: 0 }), provider("good", Script::default()));
    let (_gateway, client) = gateway(&[("bad", &bad), ("good", &good)], relentless()).await;
    let complaints = storm(&client, 200).await;
    assert!(complaints.is_empty(), "{} of 200 failed, such as {}", complaints.len(), complaints[0]);
    // An empty stream is a broken one, an empty body a malformed one.
    let metrics = Samples::parse(client.get("/metrics").await.text());
    let errors = |error_type| metrics.sum("cliproxy_errors_total", &[("error_type", error_type)]);
    let log = bad.log();
    let (streams, whole): (Vec<_>, Vec<_>) = log.entries.iter().partition(|entry| entry.stream);
    assert_eq!(
        (errors("stream_broken"), errors("malformed_reply")),
        (streams.len() as f64, whole.len() as f64)
    );
}
