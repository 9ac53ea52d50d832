//! What a provider says of a credential's rates in the headers of any of its answers.

use super::retry::{go_duration, http_date, rfc_3339, seconds, text};
use cliproxy_domain::{UpstreamLimit, WallTime};
use http::HeaderMap;
use std::time::Duration;

/// The window of a limit whose end is not named.
const MINUTE: Duration = Duration::from_secs(60);
/// Later ends are not believed: what is that far away is no rate, or a wrong clock.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Larger numbers of seconds are points in time, and yet larger ones in milliseconds.
const EPOCH_SECONDS: f64 = 1e8;
const EPOCH_MILLIS: f64 = 1e11;
/// The classes of tokens that Anthropic limits each for itself, as well as in sum.
const ANTHROPIC_CLASSES: [&str; 2] = ["input-tokens", "output-tokens"];

/// What a provider says of what a credential may still use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToldLimits {
    /// Of requests per minute.
    pub requests: Option<UpstreamLimit>,
    /// Of tokens per minute, prompts and answers together.
    pub tokens: Option<UpstreamLimit>,
}

/// Reads `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` and
/// `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`. Values that make no sense
/// are passed over; so is a limit of nothing, which some providers send for one that they do not keep.
pub fn told_limits(headers: &HeaderMap, now: WallTime) -> ToldLimits {
    let sent = text(headers, "date").and_then(http_date).unwrap_or(now);
    let openai = |name: &str| read(|part| text(headers, &format!("x-ratelimit-{part}-{name}")), sent);
    let anthropic =
        |name: &str| read(|part| text(headers, &format!("anthropic-ratelimit-{name}-{part}")), sent);
    let classes = ANTHROPIC_CLASSES.map(anthropic);
    ToldLimits {
        requests: openai("requests").or_else(|| anthropic("requests")),
        tokens: openai("tokens").or_else(|| all_tokens(anthropic("tokens"), classes)),
    }
}

/// Reads one limit, of which `part` finds the limit, what remains, and when it is full again.
fn read<'h>(part: impl Fn(&str) -> Option<&'h str>, sent: WallTime) -> Option<UpstreamLimit> {
    let number = |name: &str| part(name)?.parse::<i64>().ok();
    let (limit, remaining) = (number("limit"), number("remaining").filter(|left| *left >= 0));
    if limit.is_some_and(|limit| limit <= 0) || limit.is_none() && remaining.is_none() {
        return None;
    }
    // What is not told holds nobody back.
    let limit = limit.map_or(u64::MAX, i64::unsigned_abs);
    let remaining = remaining.map_or(limit, i64::unsigned_abs).min(limit);
    let resets_in = part("reset").and_then(|text| reset(text, sent)).unwrap_or(MINUTE).min(LONGEST);
    Some(UpstreamLimit { limit, remaining, resets_in, age: Duration::ZERO })
}

/// Joins limits of prompts and of answers into one of both: when one of them has nothing left, nothing can be asked.
fn all_tokens(sum: Option<UpstreamLimit>, classes: [Option<UpstreamLimit>; 2]) -> Option<UpstreamLimit> {
    let told = || classes.iter().flatten();
    let joined = match classes {
        [Some(input), Some(output)] => Some(UpstreamLimit {
            limit: input.limit.saturating_add(output.limit),
            remaining: input.remaining.saturating_add(output.remaining),
            resets_in: input.resets_in.max(output.resets_in),
            age: Duration::ZERO,
        }),
        // Of one class alone nothing follows for both.
        _ => None,
    };
    let all = sum.or(joined);
    let spent = told().filter(|class| class.remaining == 0).map(|class| class.resets_in).max();
    match (all, spent) {
        (all, None) => all,
        (Some(all), Some(resets_in)) => Some(UpstreamLimit { remaining: 0, resets_in, ..all }),
        (None, Some(resets_in)) => {
            Some(UpstreamLimit { limit: u64::MAX, remaining: 0, resets_in, age: Duration::ZERO })
        }
    }
}

/// Reads when a limit is full again: a Go duration (`6m0s`), seconds (`12`, `0.5`), a point in time in seconds or
/// milliseconds, an RFC 3339 time, or an HTTP date.
fn reset(text: &str, sent: WallTime) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        // A cast to an integer saturates.
        return match number {
            _ if number >= EPOCH_MILLIS => Some(WallTime(number as i64).since(sent)),
            _ if number >= EPOCH_SECONDS => Some(WallTime((number * 1_000.0) as i64).since(sent)),
            _ => seconds(number),
        };
    }
    go_duration(text).or_else(|| Some(rfc_3339(text).or_else(|| http_date(text))?.since(sent)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    const NOW: WallTime = WallTime(1_793_534_400_000); // 2026-11-01T12:00:00Z

    fn told(headers: &[(&str, &str)]) -> ToldLimits {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            map.insert(name, HeaderValue::from_str(value).expect("a value"));
        }
        told_limits(&map, NOW)
    }

    fn limit(limit: u64, remaining: u64, seconds: f64) -> Option<UpstreamLimit> {
        let resets_in = Duration::from_secs_f64(seconds);
        Some(UpstreamLimit { limit, remaining, resets_in, age: Duration::ZERO })
    }

    #[test]
    fn limits_are_read_as_openai_spells_them() {
        let told = told(&[
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-reset-requests", "120ms"),
            ("x-ratelimit-limit-tokens", "30000"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "1m0.5s"),
        ]);
        assert_eq!((told.requests, told.tokens), (limit(500, 499, 0.12), limit(30_000, 0, 60.5)));
    }

    #[test]
    fn limits_are_read_as_anthropic_spells_them() {
        let told = told(&[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2026-11-01T12:00:30Z"),
            ("anthropic-ratelimit-tokens-limit", "40000"),
            ("anthropic-ratelimit-tokens-remaining", "39000"),
            ("anthropic-ratelimit-tokens-reset", "2026-11-01T12:00:20Z"),
        ]);
        assert_eq!((told.requests, told.tokens), (limit(50, 49, 30.0), limit(40_000, 39_000, 20.0)));
    }

    #[test]
    fn prompts_and_answers_that_are_limited_apart_are_one_limit_that_ends_with_either() {
        let all = [
            ("anthropic-ratelimit-input-tokens-limit", "40000"),
            ("anthropic-ratelimit-input-tokens-remaining", "39000"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-11-01T12:00:20Z"),
            ("anthropic-ratelimit-output-tokens-limit", "8000"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-11-01T12:00:40Z"),
        ];
        let with = |more: &[(&'static str, &'static str)]| told(&[&all, more].concat()).tokens;
        assert_eq!(
            with(&[("anthropic-ratelimit-output-tokens-remaining", "7000")]),
            limit(48_000, 46_000, 40.0)
        );
        assert_eq!(with(&[("anthropic-ratelimit-output-tokens-remaining", "0")]), limit(48_000, 0, 40.0));
        let output = [all[3], all[4], ("anthropic-ratelimit-output-tokens-remaining", "0")];
        assert_eq!(told(&output).tokens, limit(u64::MAX, 0, 40.0));
        assert_eq!(told(&output[..2]).tokens, None, "of one class nothing follows for both");
    }

    #[test]
    fn a_reset_is_read_in_every_spelling() {
        let spellings = [
            ("6m0s", 360.0),
            ("12", 12.0),
            ("0.25", 0.25),
            ("1793534430", 30.0),
            ("1793534430500", 30.5),
            ("2026-11-01T12:00:30Z", 30.0),
            ("Sun, 01 Nov 2026 12:00:30 GMT", 30.0),
            ("2026-11-01T11:00:00Z", 0.0),
            ("24h0m0s", 3_600.0),
            ("1e300", 3_600.0),
            ("soon", 60.0),
            ("-3", 60.0),
        ];
        for (spelling, expected) in spellings {
            let told = told(&[
                ("x-ratelimit-limit-requests", "10"),
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", spelling),
            ]);
            assert_eq!(told.requests, limit(10, 0, expected), "{spelling}");
        }
    }

    #[test]
    fn what_says_nothing_holds_nobody_back() {
        assert_eq!(told(&[]), ToldLimits::default());
        for (limit, remaining) in [("-1", "-1"), ("0", "0"), ("many", "few")] {
            let headers =
                [("x-ratelimit-limit-requests", limit), ("x-ratelimit-remaining-requests", remaining)];
            assert_eq!(told(&headers).requests, None, "{limit} {remaining}");
        }
        let alone = told(&[("x-ratelimit-remaining-tokens", "70")]).tokens;
        assert_eq!(alone, limit(u64::MAX, 70, 60.0), "some name no limit");
        assert_eq!(told(&[("x-ratelimit-limit-tokens", "70")]).tokens, limit(70, 70, 60.0));
    }
}
