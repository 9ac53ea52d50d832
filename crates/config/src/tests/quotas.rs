//! Quotas and prices of providers.

use super::{accept, refuse, request};
use crate::{Load, Purpose, load_text};
use cliproxy_domain::{LossMode, Price, Provider, Quota, QuotaReset, QuotaUnit, RateLimits};
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
fn what_a_quota_cannot_be_is_refused_at_its_place() {
    let cases = [
        ("{reset: daily}", "quota", "`limit` is missing"),
        ("{limit: 5}", "quota", "`reset` is missing; known are `hourly`, `daily`, `weekly` and `monthly`"),
        ("{limit: 0, reset: daily}", "0", "`0` is out of range"),
        ("{limit: 5.5, reset: daily}", "5.5", "`5.5` is not a whole number"),
        ("{limit: 5, reset: dayly}", "dayly", "did you mean `daily`?"),
        ("{limit: 5, reset: often}", "often", "and durations such as `5h`"),
        ("{limit: 5, reset: 0s}", "0s", "`0s` is too short; write at least `1s`"),
        ("{limit: 5, reset: -6h}", "-6h", "`-6h` is not a duration"),
        ("{limit: 1, reset: 500ms}", "500ms", "`500ms` is too short; write at least `1s`"),
        ("{limit: 5, reset: 9000h}", "9000h", "`9000h` is too long; write at most `8784h`"),
        ("{limit: 1M, reset: daily}", "1M", "`1M` is not a whole number; write one such as `1000000`"),
        ("5000", "5000", "expected a map of keys, found"),
        ("{limit: 5, reset: monthly, reset_day: 0}", "0", "write a whole number from 1 to 28"),
        (
            "{limit: 5, reset: monthly, reset_day: 31}",
            "31",
            "not every month has a day 31; write one from 1 to 28",
        ),
        ("{limit: 5, reset: monthly, reset_day: 32}", "32", "`32` is out of range"),
        ("{limit: 5, reset: monthly, reset_day: -1}", "-1", "`-1` is out of range"),
        ("{limit: -5, reset: daily}", "-5", "`-5` is out of range; write a whole number from 1 to"),
        ("{limit: 1000000000000001, reset: daily}", "1000", "is out of range"),
        ("{limit: 99999999999999999999, reset: daily}", "9999", "is out of range"),
        ("{limit: 5, reset: weekly, reset_day: 3}", "3", "only a monthly reset has a day"),
        ("{limit: 5, reset: daily, timezone: Europe/Berlim}", "Europe", "did you mean `Europe/Berlin`?"),
        ("{limit: 5, reset: daily, timezone: CEST}", "CEST", "is not a known time zone"),
        ("{limit: 5, reset: daily, timezone: ../../etc/passwd}", "../", "is not a known time zone"),
        ("{limit: 5, reset: 6h, timezone: UTC}", "UTC", "a duration goes by no calendar"),
        ("{limit: 5, unit: usd, reset: daily}", "usd", "nothing tells what `claude/claude-*` costs; give"),
        ("{limit: 5, unit: dollars, reset: daily}", "dollars", "known are `tokens`, `requests` and `usd`"),
        ("{limit: 5, reset: daily, on_loss: safe}", "safe", "has no fair share to fall back to"),
        (
            "{limit: 5, reset: daily, on_loss: relaxed}",
            "relaxed",
            "known are `strict`, `safe` and `optimistic`",
        ),
        ("{limit: 5, reset: daily, policy: abort}", "abort", "known are `stop`, `finish` and `reject_new`"),
        ("{limit: 5, reset: daily, reserve_output: 0}", "0", "`0` is out of range"),
        ("{limit: 5, reset: daily, unit: requests, policy: stop}", "policy", "counts calls, however long"),
        ("{limit: 5, reset: daily, unit: requests, reserve_output: 9}", "reserve_output", "counts calls"),
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
    let dollar = 1_000_000_000;
    let dear = Price {
        cached_input: Some(dollar),
        cache_write: Some(2 * dollar),
        reasoning: Some(5 * dollar),
        ..Price::new(3 * dollar, 4 * dollar)
    };
    assert_eq!(price("input: 0.003, output: 0.015"), Some(expected));
    assert_eq!(price("input: 7.5e-05, output: .5"), Some(Price::new(75_000, 500_000_000)));
    assert_eq!(price("input: 0, output: 0"), Some(Price::new(0, 0)));
    assert_eq!(price("input: '${TEN}', output: 1000"), Some(Price::new(10_000_000_000, 1_000_000_000_000)));
    assert_eq!(price("input: 3, output: 4, cached_input: 1, cache_write: 2, reasoning: 5"), Some(dear));
}

#[test]
fn half_a_price_is_refused() {
    let error = refuse("providers: {claude: {cost_per_1k_tokens: {input: 0.003}}}");
    assert!(
        error.starts_with("config.yaml:1:22: `providers.claude.cost_per_1k_tokens`: `output` is missing"),
        "{error}"
    );
}

fn version(keys: &str, model: &str) -> String {
    claude(keys).price_of(model).expect("it has a price").version.to_string()
}

#[test]
fn an_entry_for_a_model_stands_before_the_price_of_all_and_that_before_what_is_built_in() {
    let list = "prices: [{models: [claude-haiku-*], input: 1, output: 2}, {models: [claude-*], input: 3, output: 4}]";
    let price =
        |keys: &str, model: &str| claude(keys).price_of(model).map(|entry| entry.price.input / 1_000_000);
    assert_eq!(price(list, "claude-haiku-4-5"), Some(1_000));
    assert_eq!(price(list, "claude-opus-9"), Some(3_000));
    let both = "prices: [{models: [claude-haiku-*], input: 1, output: 2}], cost_per_1k_tokens: {input: 7, output: 8}";
    assert_eq!(
        (price(both, "claude-haiku-4-5"), price(both, "claude-sonnet-4-5")),
        (Some(1_000), Some(7_000))
    );
    let some = "prices: [{models: [claude-haiku-*], input: 1, output: 2}]";
    assert_eq!((price(some, "claude-haiku-4-5"), price(some, "claude-sonnet-4-5")), (Some(1_000), Some(3)));
    assert_eq!((price("", "claude-sonnet-4-5"), price("", "claude-opus-9")), (Some(3), None));
}

#[test]
fn the_same_figures_have_the_same_version_and_others_another() {
    let all = |figures: &str| version(&format!("cost_per_1k_tokens: {{{figures}}}"), "m");
    let one = |figures: &str| version(&format!("prices: [{{models: [m], {figures}}}]"), "m");
    let first = all("input: 0.003, output: 0.015");
    assert_eq!(first.strip_prefix("config-").map(|rest| rest.len()), Some(8), "{first}");
    assert_eq!(first, one("input: 0.003, output: 0.015"));
    let others = ["input: 0.015, output: 0.003", "input: 0.003, output: 0.015, reasoning: 0.015"];
    assert!(others.into_iter().all(|figures| all(figures) != first));
    assert_ne!(all("input: 1, output: 1, cached_input: 0"), all("input: 1, output: 1, cache_write: 0"));
    assert_eq!(version("", "claude-sonnet-4-5"), "shipped-2026-11-22");
}

#[test]
fn entries_of_prices_that_cannot_be_are_refused() {
    let cases = [
        ("[{input: 1, output: 1}]", "there are no `models`"),
        ("[{models: [], input: 1, output: 1}]", "there are no `models`"),
        ("[{models: [a], input: 1}]", "`output` is missing"),
        ("[{models: [a], input: 1, output: 1, cached_input: -1}]", "`-1` is not an amount"),
        ("[{models: [a], input: 1, output: 1, reasoning: 1001}]", "write US dollars from 0 to 1000"),
        ("[{models: ['a b'], input: 1, output: 1}]", "is not a model pattern"),
    ];
    for (prices, expected) in cases {
        let error = refuse(&format!("providers: {{claude: {{prices: {prices}}}}}"));
        assert!(error.starts_with("config.yaml:1:") && error.contains(expected), "{prices}: {error}");
        assert_eq!(error.matches("config.yaml:").count(), 1, "{error}");
    }
}

#[test]
fn a_credential_has_limits_of_its_own() {
    let keys = "credentials: [{name: main, api_key: x, rate_limit: {requests_per_minute: 5, on_loss: optimistic}, \
                quota: {limit: 7, reset: daily, on_loss: optimistic}}, {name: spare, api_key: y}]";
    let claude = claude(keys);
    let rates =
        RateLimits { requests_per_minute: Some(5), on_loss: LossMode::Optimistic, ..RateLimits::default() };
    let quota =
        Quota { on_loss: LossMode::Optimistic, ..Quota::new(7, QuotaUnit::Tokens, QuotaReset::Daily) };
    assert_eq!((claude.credentials[0].rate_limit, &claude.credentials[0].quota), (rates, &Some(quota)));
    assert_eq!(
        (claude.credentials[1].rate_limit, &claude.credentials[1].quota),
        (RateLimits::default(), &None)
    );
}

#[test]
fn a_budget_in_dollars_needs_the_price_of_all_that_it_may_be_spent_on() {
    let dollars = "quota: {limit: 5, unit: usd, reset: daily}";
    let own = "kind: openai_compatible, base_url: 'http://127.0.0.1:1', api_key: x";
    let sound = [
        format!("claude: {{{dollars}, models: [claude-sonnet-4-5, claude-opus-4-5-20251101]}}"),
        format!("claude: {{{dollars}, cost_per_1k_tokens: {{input: 1, output: 1}}}}"),
        format!("claude: {{{dollars}, prices: [{{models: ['claude-*'], input: 1, output: 1}}]}}"),
        format!("claude: {{credentials: [{{name: a, api_key: x, {dollars}}}], models: [claude-haiku-4-5]}}"),
    ];
    for providers in sound {
        accept(&format!("providers: {{{providers}}}"));
    }
    let cases = [
        (format!("claude: {{{dollars}}}"), "quota.unit`: nothing tells what `claude/claude-*` costs"),
        (format!("claude: {{{dollars}, models: [claude-9]}}"), "what `claude/claude-9` costs"),
        (
            format!("mine: {{{own}, {dollars}}}"),
            "what `mine/*` costs; give `providers.mine.cost_per_1k_tokens`",
        ),
        (
            format!("claude: {{credentials: [{{name: a, api_key: x, {dollars}}}]}}"),
            "`providers.claude.credentials[0].quota.unit`: nothing tells",
        ),
    ];
    for (providers, expected) in cases {
        let error = refuse(&format!("providers: {{{providers}}}"));
        assert!(error.contains(expected) && error.contains('^'), "{providers}: {error}");
    }
    let alias = "models: {smart: {targets: [{provider: claude, model: tuned}]}}";
    let error = refuse(&format!("providers: {{claude: {{{dollars}, models: [claude-opus-4-5]}}}}\n{alias}"));
    assert!(error.contains("nothing tells what `claude/tuned` costs"), "{error}");
}

fn alone(text: &str) -> Result<crate::Config, String> {
    let load = Load { purpose: Purpose::DataPlane, ..request() };
    load_text("config.yaml", text, &load).map_err(|error| error.to_string())
}

#[test]
fn a_data_plane_alone_refuses_budgets_that_nobody_would_keep() {
    let quota = "quota: {limit: 5, reset: daily}";
    for (text, path) in [
        (format!("providers: {{claude: {{{quota}}}}}"), "providers.claude.quota"),
        (
            format!("providers: {{claude: {{credentials: [{{name: a, api_key: x, {quota}}}]}}}}"),
            "providers.claude.credentials[0].quota",
        ),
        ("clients: [{name: ci, budget: {limit: 5, reset: daily}}]".to_owned(), "clients[0].budget"),
    ] {
        let error = alone(&text).expect_err(&text);
        let expected = format!("`{path}`: a data plane without a control plane cannot keep it");
        assert!(error.contains(&expected) && error.contains("or write `on_loss: optimistic`"), "{error}");
        assert!(error.contains('^'), "{error}");
        accept(&text);
        let elsewhere = "control_plane: {endpoints: ['http://127.0.0.1:8319']}";
        alone(&format!("{elsewhere}\n{text}")).expect("the control plane keeps it");
    }
    let text =
        "providers: {claude: {quota: {limit: 5, reset: daily, on_loss: optimistic, reserve_output: 1}}}";
    let warnings = alone(text).unwrap().warnings;
    assert!(matches!(&warnings[..], [one] if one.contains("has no effect, as there is no control plane")));
    alone("clients: [{name: ci, rate_limit: {requests_per_minute: 5}}]")
        .expect("a node keeps rates by itself");
}
