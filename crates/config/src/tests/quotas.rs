//! Quotas and prices of providers.

use super::{accept, refuse};
use cliproxy_domain::{Price, Provider, Quota, QuotaReset, QuotaUnit};
use std::time::Duration;

fn claude(keys: &str) -> Provider {
    accept(&format!("providers: {{claude: {{{keys}}}}}")).snapshot.providers["claude"].clone()
}

fn quota(keys: &str) -> Quota {
    let price = "cost_per_1k_tokens: {input: 1, output: 1}";
    claude(&format!("quota: {{{keys}}}, {price}")).quota.expect("the provider has a quota")
}

#[test]
fn a_quota_counts_tokens_by_the_calendar_of_utc_unless_told_otherwise() {
    let expected = Quota::new(1_000_000, QuotaUnit::Tokens, QuotaReset::Monthly { day: 1 });
    assert_eq!(quota("limit: 1000000, reset: monthly"), expected);
    assert_eq!(claude("").quota, None);
    assert_eq!(claude("quota:").quota, None);
}

#[test]
fn a_quota_begins_anew_by_the_calendar_or_after_a_time() {
    let reset = |text: &str| quota(&format!("limit: 1, reset: {text}")).reset;
    assert_eq!(reset("hourly"), QuotaReset::Hourly);
    assert_eq!(reset("daily"), QuotaReset::Daily);
    assert_eq!(reset("weekly"), QuotaReset::Weekly);
    assert_eq!(reset("monthly, reset_day: 28"), QuotaReset::Monthly { day: 28 });
    assert_eq!(reset("5h"), QuotaReset::Every(Duration::from_secs(5 * 3_600)));
    assert_eq!(reset("'168h'"), QuotaReset::Every(Duration::from_secs(168 * 3_600)));
}

#[test]
fn a_quota_in_dollars_has_cents_and_less() {
    let limit = |text: &str| quota(&format!("limit: {text}, unit: usd, reset: daily")).limit;
    assert_eq!(limit("50"), 50_000_000_000);
    assert_eq!(limit("0.1"), 100_000_000);
    assert_eq!(limit("1234.567890123"), 1_234_567_890_123);
}

#[test]
fn a_time_zone_is_known_by_its_name_in_any_case() {
    let zone = |name: &str| quota(&format!("limit: 1, reset: daily, timezone: {name}")).timezone;
    assert_eq!(zone("Europe/Berlin"), "Europe/Berlin");
    assert_eq!(zone("america/new_york"), "America/New_York");
    assert_eq!(zone("utc"), "UTC");
}

#[test]
fn every_quota_is_warned_of_as_it_is_not_exact_yet() {
    let config = accept("providers: {claude: {quota: {limit: 5, reset: daily}}}");
    let expected =
        "config.yaml:1:22: `providers.claude.quota`: it steers `quota_aware`, and keeps the provider out";
    assert!(config.warnings[0].starts_with(expected), "{:?}", config.warnings);
    assert_eq!(config.warnings.len(), 1);
}

#[test]
fn what_a_quota_cannot_be_is_refused_at_its_place() {
    let cases = [
        ("{reset: daily}", "quota", "`limit` is missing"),
        ("{limit: 5}", "quota", "`reset` is missing; known are `hourly`, `daily`, `weekly` and `monthly`"),
        ("{limit: 0, reset: daily}", "0", "`0` is out of range"),
        ("{limit: 5.5, reset: daily}", "5.5", "`5.5` is not a whole number"),
        ("{limit: 5, reset: dayly}", "dayly", "did you mean `daily`?"),
        ("{limit: 5, reset: often}", "often", "and durations such as `5h`"),
        ("{limit: 5, reset: 0s}", "0s", "`0s` would never wait"),
        ("{limit: 5, reset: -6h}", "-6h", "`-6h` is not a duration"),
        ("{limit: 1, reset: 500ms}", "500ms", "`500ms` is too short; write at least `1s`"),
        ("{limit: 5, reset: 9000h}", "9000h", "`9000h` is too long"),
        ("{limit: 5, reset: monthly, reset_day: 0}", "0", "write a whole number from 1 to 28"),
        ("{limit: 5, reset: monthly, reset_day: 31}", "31", "write a whole number from 1 to 28"),
        ("{limit: 5, reset: weekly, reset_day: 3}", "3", "only a monthly reset has a day"),
        ("{limit: 5, reset: daily, timezone: Europe/Berlim}", "Europe", "did you mean `Europe/Berlin`?"),
        ("{limit: 5, reset: daily, timezone: CEST}", "CEST", "is not a known time zone"),
        ("{limit: 5, reset: daily, timezone: ../../etc/passwd}", "../", "is not a known time zone"),
        ("{limit: 5, reset: 6h, timezone: UTC}", "UTC", "a duration goes by no calendar"),
        ("{limit: 5, unit: usd, reset: daily}", "usd", "nothing tells what a call costs"),
        ("{limit: 5, unit: dollars, reset: daily}", "dollars", "known are `tokens`, `requests` and `usd`"),
        ("{limit: 5, reset: daily, on_loss: safe}", "on_loss", "is not available yet"),
    ];
    for (quota, at, expected) in cases {
        let line = format!("    quota: {quota}");
        let error = refuse(&format!("providers:\n  claude:\n{line}\n"));
        let column = line.find(at).expect("the culprit stands in the line") + 1;
        let told = error.strip_prefix(&format!("config.yaml:3:{column}: `providers.claude.quota"));
        assert!(told.is_some_and(|told| told.contains(expected)), "{quota}: {error}");
        assert_eq!(error.matches("config.yaml:").count(), 1, "one report for one mistake: {error}");
    }
}

#[test]
fn a_price_is_kept_to_the_last_digit() {
    let price = |keys: &str| {
        claude(&format!("cost_per_1k_tokens: {{{keys}}}")).price_of("m").map(|entry| entry.price)
    };
    let expected = Price::new(3_000_000, 15_000_000);
    assert_eq!(price("input: 0.003, output: 0.015"), Some(expected));
    assert_eq!(price("input: 7.5e-05, output: .5"), Some(Price::new(75_000, 500_000_000)));
    assert_eq!(price("input: 0, output: 0"), Some(Price::new(0, 0)));
    assert_eq!(price("input: '${TEN}', output: 1000"), Some(Price::new(10_000_000_000, 1_000_000_000_000)));
    assert_eq!(claude("").prices, []);
}

#[test]
fn half_a_price_is_refused() {
    let error = refuse("providers: {claude: {cost_per_1k_tokens: {input: 0.003}}}");
    assert!(
        error.starts_with("config.yaml:1:22: `providers.claude.cost_per_1k_tokens`: `output` is missing"),
        "{error}"
    );
}
