//! A 429 that says how long to wait: one node hears it, both obey it.

use super::{
    fixture::{Cluster, Seen, add, seen, text, with_keys},
    traffic::Traffic,
};
use crate::apis::Api;
use cliproxy_testkit::{
    Config, PATIENCE,
    mock::{Behaviour, Hint, Latency, MockProvider, Rule},
    poll_until,
};
use futures_util::future::join_all;
use std::time::Duration;

/// From one request of a node to its next.
const PACE: Duration = Duration::from_millis(100);
/// How long a call takes, so that the one after a rest could be overtaken.
const CALL: Latency = Latency { headers_ms: 400, time_to_first_token_ms: 0, per_token_ms: 0 };
/// When the other node has heard of a rest at the latest, also on a busy machine.
const HEARD: Duration = Duration::from_millis(1_500);

/// A kind of hint, named as its provider is, in an API whose providers give it, and the rest that it asks for.
struct Case {
    name: &'static str,
    api: Api,
    hint: Hint,
    rest: Duration,
}

/// Each kind of hint.
fn cases() -> [Case; 7] {
    let none = Hint::default();
    let case = |name, api, hint, ms| Case { name, api, hint, rest: Duration::from_millis(ms) };
    [
        case("seconds", Api::Chat, Hint { retry_after_s: Some(3), ..none }, 3_000),
        // Dates have whole seconds: up to one of them may be gone already.
        case("date", Api::Messages, Hint { retry_after_date_s: Some(4), ..none }, 3_000),
        case("milliseconds", Api::Responses, Hint { retry_after_ms: Some(2_500), ..none }, 2_500),
        case("anthropic", Api::Messages, Hint { anthropic_reset_s: Some(4), ..none }, 3_000),
        case("x-ratelimit", Api::Chat, Hint { x_ratelimit_reset_ms: Some(3_000), ..none }, 3_000),
        case("retry-info", Api::Gemini, Hint { retry_info_s: Some(3.0), ..none }, 3_000),
        case("gemini", Api::Gemini, Hint { retry_after_s: Some(3), ..none }, 3_000),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_with_any_hint_rests_that_credential_alone_on_both_nodes_until_one_call_finds_it_well() {
    let keys: Vec<String> =
        cases().iter().flat_map(|case| [first(case), format!("{}-second", case.name)]).collect();
    let mock = with_keys(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let config = cases().iter().zip(keys.chunks(2)).fold(Config::new(), |config, (case, keys)| {
        add(config, case.name, case.api, &mock, &[&keys[0], &keys[1]])
    });
    let cluster = Cluster::start(config).await;
    let traffic: Vec<Traffic> = cases()
        .iter()
        .flat_map(|case| {
            let model = format!("{}/m", case.name);
            cluster.nodes().map(|node| Traffic::start(node, case.api, &model, PACE))
        })
        .collect();
    let warm = || async { keys.iter().all(|key| both_call(&seen(&mock, key))).then_some(()) };
    poll_until("calls of both nodes with each key", PATIENCE, warm).await;
    mock.set_rules(cases().iter().flat_map(rules).collect()).unwrap();

    join_all(cases().iter().map(|case| is_told_as_it_came(&cluster, case))).await;
    join_all(cases().iter().map(|case| returns(&mock, case))).await;
    for traffic in traffic {
        for got in traffic.stop().await {
            assert_eq!(got.status, 200, "the other credential serves: {}", got.error);
        }
    }
    for case in cases() {
        rested_and_was_tried_once(&mock, &case);
    }
}

fn first(case: &Case) -> String {
    format!("{}-first", case.name)
}

fn rules(case: &Case) -> [Rule; 2] {
    [
        Rule::new(Behaviour::rate_limit(case.hint)).for_key(first(case)).times(1),
        Rule::new(Behaviour::Answer).for_key(first(case)).latency(CALL),
    ]
}

fn both_call(calls: &[Seen]) -> bool {
    ["a", "b"].iter().all(|node| calls.iter().any(|call| call.node == *node))
}

/// Waits until the rest is told, and holds what is told of it against the hint.
async fn is_told_as_it_came(cluster: &Cluster, case: &Case) {
    let credential = format!("{}/{}", case.name, first(case));
    let told = || async {
        let status = cluster.get("cooldown/status").await;
        let resting = status["resting"].as_object()?;
        // Gemini speaks of one model.
        let subject = [credential.clone(), format!("{credential}/m")];
        subject.iter().find_map(|subject| resting.get(subject).cloned())
    };
    let rest = poll_until(&format!("rest of {credential}"), PATIENCE, told).await;
    assert_eq!((&rest["cause"], &rest["http_status"]), (&"rate_limit".into(), &429.into()), "{rest}");
    assert_eq!(rest["clamped"], false, "{rest}");
    let hint = Duration::from_secs_f64(rest["hint_seconds"].as_f64().unwrap());
    assert!(hint >= case.rest && hint <= case.rest + Duration::from_secs(1), "{rest}");
    assert!(["a", "b"].contains(&&*text(&rest["reporter"])), "{rest}");
    assert_eq!(cluster.get("providers/status").await["providers"][case.name]["in_cooldown"], false);
}

/// Waits until both nodes call with the credential again.
async fn returns(mock: &MockProvider, case: &Case) {
    let again = || async {
        let calls = seen(mock, &first(case));
        let refused = calls.iter().position(|call| call.status == 429)?;
        let after = refused_until(&calls[refused], case);
        let later: Vec<Seen> = calls.into_iter().filter(|call| call.started_us >= after).collect();
        both_call(&later).then_some(())
    };
    poll_until(&format!("calls of both nodes after the rest of {}", case.name), PATIENCE, again).await;
}

fn refused_until(refused: &Seen, case: &Case) -> u64 {
    refused.started_us + micros(case.rest)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}

/// Reads in the upstream's log when the credential was called.
fn rested_and_was_tried_once(mock: &MockProvider, case: &Case) {
    let name = case.name;
    let calls = seen(mock, &first(case));
    let refused = calls.iter().find(|call| call.status == 429).unwrap();
    let end = refused_until(refused, case);
    for call in calls.iter().filter(|call| call.started_us > refused.finished_us && call.started_us < end) {
        let late = call.started_us - refused.finished_us;
        assert_ne!(call.node, refused.node, "{name}: who heard the 429 called {late} us after it");
        assert!(late < micros(HEARD), "{name}: the other node called {late} us after the 429");
    }
    let after: Vec<&Seen> = calls.iter().filter(|call| call.started_us >= end).collect();
    let (tried, others) = (after[0], &after[1..]);
    let overtook = others.iter().find(|call| call.started_us < tried.finished_us);
    assert!(overtook.is_none(), "{name}: {overtook:?} while {tried:?} was finding out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_of_a_year_is_believed_up_to_the_longest_hint_and_said_to_be_cut() {
    const YEAR: u64 = 365 * 24 * 60 * 60;
    let mock = with_keys(&["main"]);
    let hint = Hint { retry_after_s: Some(YEAR), ..Hint::default() };
    mock.set_rules(vec![Rule::new(Behaviour::rate_limit(hint)).times(1)]).unwrap();
    let config = Config::new().set(&["server", "operations", "cooldown", "max_hint"], "20s");
    let cluster = Cluster::start(add(config, "up", Api::Messages, &mock, &["main"])).await;
    assert_eq!(cluster.a.ask(Api::Messages, "up/m").await.status, 429);
    let rest = cluster.rests("up/main").await;
    assert_eq!(rest["hint_seconds"].as_f64(), Some(YEAR as f64), "as it came: {rest}");
    assert_eq!(rest["clamped"], true);
    assert!((1..=20).contains(&rest["remaining_seconds"].as_u64().unwrap()), "{rest}");
    let status = cluster.get("cooldown/status").await;
    assert_eq!(status["providers_in_cooldown"], serde_json::json!(["up"]));
    assert_eq!(status["cooldown_periods"]["up"]["reason"], "rate_limit");
    for node in cluster.nodes() {
        let answer = node.ask(Api::Messages, "up/m").await;
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert!((1..=20).contains(&wait), "node {}: {wait}", node.name);
    }
    let (_, entry) = cluster.audit("up").await.remove(0);
    assert!(text(&entry["reason"]).contains("of which 20 s are believed"), "{entry}");
}
