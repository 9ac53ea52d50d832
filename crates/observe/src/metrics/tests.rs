use super::*;
use std::time::Duration;

fn used() -> Metrics {
    let metrics = Metrics::new();
    let route = metrics.route("claude", "claude-3-5-sonnet");
    for ms in [300, 700, 2_000] {
        route.success(Duration::from_millis(ms));
    }
    route.failure("rate_limit");
    route.error("timeout");
    route.attempt("success");
    route.first_token(Duration::from_millis(90));
    route.tokens(100, 50);
    route.tokens(1, 2);
    metrics
}

#[track_caller]
fn assert_shows(metrics: &Metrics, sample: &str) {
    let text = metrics.encode();
    assert!(text.lines().any(|line| line == sample), "{sample} is not in\n{text}");
}

#[test]
fn the_guides_families_have_exactly_its_names_and_labels() {
    let metrics = used();
    for sample in [
        r#"cliproxy_requests_total{provider="claude",model="claude-3-5-sonnet",status="success"} 3"#,
        r#"cliproxy_requests_total{provider="claude",model="claude-3-5-sonnet",status="error"} 1"#,
        r#"cliproxy_errors_total{provider="claude",error_type="rate_limit"} 1"#,
        r#"cliproxy_errors_total{provider="claude",error_type="timeout"} 1"#,
        r#"cliproxy_tokens_total{provider="claude",model="claude-3-5-sonnet",type="input"} 101"#,
        r#"cliproxy_tokens_total{provider="claude",model="claude-3-5-sonnet",type="output"} 52"#,
        r#"cliproxy_request_duration_seconds_bucket{provider="claude",le="0.5"} 1"#,
        r#"cliproxy_request_duration_seconds_bucket{provider="claude",le="1"} 2"#,
        r#"cliproxy_request_duration_seconds_bucket{provider="claude",le="+Inf"} 3"#,
        r#"cliproxy_request_duration_seconds_count{provider="claude"} 3"#,
        r#"cliproxy_request_duration_seconds_sum{provider="claude"} 3.0"#,
        r#"cliproxy_time_to_first_token_seconds_bucket{provider="claude",le="0.1"} 1"#,
        r#"cliproxy_attempts_total{provider="claude",outcome="success"} 1"#,
        r#"cliproxy_in_flight{provider="claude"} 0"#,
    ] {
        assert_shows(&metrics, sample);
    }
}

#[test]
fn every_family_is_described_under_the_name_of_its_samples() {
    let text = used().encode();
    let described: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert_eq!(
        described,
        [
            "cliproxy_requests_total counter",
            "cliproxy_errors_total counter",
            "cliproxy_tokens_total counter",
            "cliproxy_cost_usd_total counter",
            "cliproxy_request_duration_seconds histogram",
            "cliproxy_time_to_first_token_seconds histogram",
            "cliproxy_attempts_total counter",
            "cliproxy_in_flight gauge",
        ]
    );
    let helped = text.lines().filter(|line| line.starts_with("# HELP ")).count();
    assert_eq!(helped, described.len());
}

#[test]
fn decisions_are_counted_by_what_they_were() {
    let metrics = Metrics::new();
    let words = DecisionWords {
        retries: &["next_choice", "deadline"],
        hedges: &["won"],
        exclusions: &["cooldown"],
        half_open: &["recovered"],
        records: &["kept"],
    };
    let decisions = metrics.decisions(words);
    decisions.retry("next_choice");
    metrics.decisions(words).retry("next_choice");
    decisions.retry("of no set");
    decisions.hedge("won");
    decisions.exclusion("cooldown");
    decisions.half_open("recovered");
    decisions.record("kept");
    for sample in [
        r#"cliproxy_retries_total{verdict="next_choice"} 2"#,
        r#"cliproxy_retries_total{verdict="deadline"} 0"#,
        r#"cliproxy_hedges_total{result="won"} 1"#,
        r#"cliproxy_exclusions_total{reason="cooldown"} 1"#,
        r#"cliproxy_half_open_probes_total{result="recovered"} 1"#,
        r#"cliproxy_request_records_total{result="kept"} 1"#,
    ] {
        assert_shows(&metrics, sample);
    }
}

#[test]
fn a_request_is_in_flight_until_its_guard_goes() {
    let metrics = Metrics::new();
    let route = metrics.route("openai", "gpt-5");
    let (one, two) = (route.enter(), route.enter());
    drop(one);
    assert_shows(&metrics, r#"cliproxy_in_flight{provider="openai"} 1"#);
    drop(two);
    assert_shows(&metrics, r#"cliproxy_in_flight{provider="openai"} 0"#);
}

#[test]
fn the_same_route_asked_for_twice_counts_together() {
    let metrics = Metrics::new();
    metrics.route("p", "m").success(Duration::ZERO);
    metrics.route("p", "m").success(Duration::ZERO);
    assert!(Arc::ptr_eq(&metrics.route("p", "m"), &metrics.route("p", "m")));
    assert_shows(&metrics, r#"cliproxy_requests_total{provider="p",model="m",status="success"} 2"#);
}

#[test]
fn models_beyond_the_limit_share_one_series() {
    let metrics = Metrics::new();
    for number in 0..MODELS_PER_PROVIDER + 50 {
        metrics.route("p", &format!("m{number}")).success(Duration::ZERO);
    }
    assert_shows(&metrics, r#"cliproxy_requests_total{provider="p",model="other",status="success"} 50"#);
    let series = metrics.encode().lines().filter(|line| line.contains("status=\"success\"")).count();
    assert_eq!(series, MODELS_PER_PROVIDER + 1);
    assert_eq!(metrics.route("q", "m0").model(), "m0");
}

#[test]
fn the_series_of_a_provider_that_went_are_gone() {
    let metrics = used();
    let kept = metrics.route("openai", "gpt-5");
    kept.failure("timeout");
    metrics.retain_providers(|provider| provider == "openai");
    let text = metrics.encode();
    assert!(!text.contains("claude"), "{text}");
    assert_shows(&metrics, r#"cliproxy_errors_total{provider="openai",error_type="timeout"} 1"#);
    metrics.route("claude", "new").success(Duration::ZERO);
    assert_shows(&metrics, r#"cliproxy_requests_total{provider="claude",model="new",status="success"} 1"#);
}

#[test]
fn label_values_are_escaped() {
    let metrics = Metrics::new();
    metrics.route("p", "a\"b\\c\nd").tokens(1, 0);
    assert_shows(&metrics, r#"cliproxy_tokens_total{provider="p",model="a\"b\\c\nd",type="input"} 1"#);
}

#[test]
fn other_crates_register_families_of_their_own() {
    let metrics = Metrics::new();
    let counter: Counter = Counter::default();
    metrics.register(|registry| registry.register("sync_refused", "Snapshots refused", counter.clone()));
    counter.inc();
    assert_shows(&metrics, "cliproxy_sync_refused_total 1");
    assert_shows(&metrics, "# TYPE cliproxy_sync_refused_total counter");
}

/// Prints the text for `promtool check metrics`:
/// `cargo test -p cliproxy-observe -- --ignored --nocapture --quiet exposition | promtool check metrics`.
#[test]
#[ignore = "for another tool"]
fn exposition_for_promtool() {
    println!("\n{}", used().encode());
}
