use super::*;
use http::HeaderValue;

const NOW: WallTime = WallTime(1_793_534_400_000); // 2026-11-01T12:00:00Z

fn named(headers: &[(&'static str, &str)], body: &str) -> Option<Duration> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, HeaderValue::from_str(value).expect("a value"));
    }
    wait(&map, &Facts::read(body.as_bytes()), NOW)
}

fn millis(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis))
}

const RETRY_INFO: &str = r#"{"error":{"details":[{"retryDelay":"7.25s"}],"resets_in_seconds":11}}"#;

#[test]
fn the_first_wait_in_order_counts() {
    let all = [
        ("retry-after-ms", "1500"),
        ("retry-after", "20"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "9s"),
    ];
    assert_eq!(named(&all, RETRY_INFO), millis(1500));
    assert_eq!(named(&all[1..], RETRY_INFO), millis(20_000));
    assert_eq!(named(&all[2..], RETRY_INFO), millis(7250));
    assert_eq!(named(&all[2..], r#"{"resets_in_seconds":11}"#), millis(9000));
    assert_eq!(named(&[], r#"{"resets_in_seconds":11}"#), millis(11_000));
    assert_eq!(named(&[], "{}"), None);
}

#[test]
fn a_date_is_relative_to_the_answers_own_clock() {
    let until = ("retry-after", "Sun, 01 Nov 2026 12:00:30 GMT");
    assert_eq!(named(&[until], ""), millis(30_000));
    assert_eq!(named(&[until, ("date", "Sun, 01 Nov 2026 12:00:10 GMT")], ""), millis(20_000));
    assert_eq!(named(&[until, ("date", "Sun, 01 Nov 2026 13:00:00 GMT")], ""), millis(0));
    assert_eq!(named(&[until, ("date", "yesterday")], ""), millis(30_000));
}

#[test]
fn senseless_values_are_passed_over() {
    for value in ["", "-1", "soon", "NaN", "-inf", "1 s", "Sun, 99 Nov 2026 12:00:30 GMT"] {
        let headers = [("retry-after-ms", value), ("retry-after", value)];
        assert_eq!(named(&headers, r#"{"resets_in_seconds":4}"#), millis(4000), "{value}");
    }
}

#[test]
fn absurd_values_neither_overflow_nor_panic() {
    for value in ["1e300", "inf", "99999999999999999999999"] {
        assert_eq!(named(&[("retry-after", value)], ""), Some(Duration::MAX), "{value}");
    }
    let reset = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "9e9h")];
    assert_eq!(named(&reset, ""), None);
    assert!(named(&[], r#"{"resets_at":1e300}"#).is_some());
    assert_eq!(named(&[], r#"{"resets_at":-1e300}"#), millis(0));
}

#[test]
fn the_latest_reset_of_the_used_up_limits_counts() {
    let headers = [
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-requests-reset", "2026-11-01T12:00:30Z"),
        ("anthropic-ratelimit-input-tokens-remaining", "0"),
        ("anthropic-ratelimit-input-tokens-reset", "2026-11-01T12:00:40Z"),
        ("anthropic-ratelimit-output-tokens-remaining", "7000"),
        ("anthropic-ratelimit-output-tokens-reset", "2026-11-01T13:00:00Z"),
        ("anthropic-priority-input-tokens-remaining", "0"),
        ("anthropic-priority-input-tokens-reset", "2026-11-01T12:00:50Z"),
    ];
    assert_eq!(named(&headers, ""), millis(50_000));
    assert_eq!(named(&headers[..6], ""), millis(40_000));
}

#[test]
fn go_durations_are_read_in_all_their_forms() {
    for (text, expected) in [
        ("120ms", millis(120)),
        ("1s", millis(1000)),
        ("6m0s", millis(360_000)),
        ("1h2m3s", millis(3_723_000)),
        ("2m59.56s", millis(179_560)),
        ("500us", Some(Duration::from_micros(500))),
        ("", None),
        ("12", None),
        ("s", None),
        ("1d", None),
        ("-1s", None),
        ("1..2s", None),
    ] {
        assert_eq!(go_duration(text), expected, "{text}");
    }
}

/// Some Azure versions send −1 or 0 for limits that they do not keep.
#[test]
fn pitfall_38_a_limit_that_is_not_kept_is_not_used_up() {
    for (limit, remaining) in [("-1", "0"), ("0", "0"), ("0", "-1"), ("100", "-1"), ("none", "0")] {
        let headers = [
            ("x-ratelimit-limit-tokens", limit),
            ("x-ratelimit-remaining-tokens", remaining),
            ("x-ratelimit-reset-tokens", "1h"),
        ];
        assert_eq!(named(&headers, ""), None, "{limit} {remaining}");
    }
}

#[test]
fn pitfall_38_the_window_may_stand_only_in_the_body() {
    for body in [
        r#"{"error":{"resets_in_seconds":90}}"#,
        r#"{"error":{"message":"x"},"resets_in_seconds":90.0}"#,
        r#"{"error":{"details":{"resets_in_seconds":90}}}"#,
        r#"{"error":{"resets_at":1793534490}}"#,
        r#"{"error":{"resets_at":"2026-11-01T12:01:30Z"}}"#,
    ] {
        assert_eq!(named(&[], body), millis(90_000), "{body}");
    }
}
