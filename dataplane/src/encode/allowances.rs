//! How much a client may still ask for, in the headers that its SDK reads (§6.3 of the wire formats).

use super::headers::set;
use crate::live::{Allowance, Allowances};
use cliproxy_domain::{Dialect, WallTime};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{fmt::Write as _, time::Duration};

/// How the vendors' names of such headers begin.
const OPENAI: &str = "x-ratelimit-";
const ANTHROPIC: &str = "anthropic-ratelimit-";

/// Says what the client may still ask for, in the form of its dialect; Gemini has none of its own, and gets OpenAI's.
/// What a provider says of its credential, which all clients share, is left out: it is nothing to a client that has
/// limits of its own.
pub fn show(headers: &mut HeaderMap, dialect: Dialect, allowances: &Allowances, now: WallTime) {
    if allowances.of_requests.is_none() && allowances.of_tokens.is_none() {
        return;
    }
    let is_of_a_limit =
        |name: &&HeaderName| [OPENAI, ANTHROPIC].iter().any(|begin| name.as_str().starts_with(begin));
    let of_the_provider: Vec<HeaderName> = headers.keys().filter(is_of_a_limit).cloned().collect();
    for name in of_the_provider {
        headers.remove(name);
    }
    for (allowance, names) in [(&allowances.of_requests, &REQUESTS), (&allowances.of_tokens, &TOKENS)] {
        let Some(allowance) = allowance else { continue };
        match dialect {
            Dialect::Anthropic => tell(headers, &names.anthropic, allowance, &full_at(allowance, now)),
            Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Gemini => {
                tell(headers, &names.openai, allowance, &go_duration(allowance.full_in));
            }
        }
    }
}

/// The names for the limit, what is left of it, and when it is full again.
struct Names {
    openai: [&'static str; 3],
    anthropic: [&'static str; 3],
}

const REQUESTS: Names = Names {
    openai: ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
    anthropic: [
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ],
};

const TOKENS: Names = Names {
    openai: ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
    anthropic: [
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ],
};

fn tell(headers: &mut HeaderMap, names: &[&'static str; 3], allowance: &Allowance, reset: &str) {
    let [limit, remaining, full] = *names;
    headers.insert(limit, HeaderValue::from(allowance.limit));
    headers.insert(remaining, HeaderValue::from(allowance.remaining));
    set(headers, full, reset);
}

/// Gives when it is full again, in whole seconds and not before it is.
fn full_at(allowance: &Allowance, now: WallTime) -> String {
    let full = now.plus(allowance.full_in);
    WallTime(full.0.div_euclid(1_000) * 1_000 + if full.0.rem_euclid(1_000) == 0 { 0 } else { 1_000 })
        .to_string()
}

/// Writes a duration as Go does, and so OpenAI: `120ms`, `8.64s`, `6m0s`, `1h0m0s`.
fn go_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms == 0 {
        return "0s".to_owned();
    }
    if ms < 1_000 {
        return format!("{ms}ms");
    }
    let (hours, minutes, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms % 60_000);
    let mut text = String::new();
    if hours > 0 {
        let _ = write!(text, "{hours}h");
    }
    if hours > 0 || minutes > 0 {
        let _ = write!(text, "{minutes}m");
    }
    let _ = write!(text, "{}", rest / 1_000);
    if rest % 1_000 > 0 {
        let _ = write!(text, ".{}", format!("{:03}", rest % 1_000).trim_end_matches('0'));
    }
    text + "s"
}

#[cfg(test)]
mod tests {
    use super::*;

    // 2026-11-01T12:00:00Z
    const NOW: WallTime = WallTime(1_793_534_400_000);

    fn allowances() -> Allowances {
        let of = |limit, remaining, ms| Allowance { limit, remaining, full_in: Duration::from_millis(ms) };
        Allowances { of_requests: Some(of(500, 499, 120)), of_tokens: Some(of(30_000, 500, 360_000)) }
    }

    fn shown(dialect: Dialect, allowances: &Allowances) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-ratelimit-limit-requests", "9"),
            ("x-ratelimit-reset-tokens_usage_based", "9s"),
            ("anthropic-ratelimit-input-tokens-limit", "9"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        show(&mut headers, dialect, allowances, NOW);
        let mut shown: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        shown.sort();
        shown
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn openai_clients_and_geminis_read_go_durations() {
        let expected = pairs(&[
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-limit-tokens", "30000"),
            ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-remaining-tokens", "500"),
            ("x-ratelimit-reset-requests", "120ms"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ]);
        for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Gemini] {
            assert_eq!(shown(dialect, &allowances()), expected, "the provider's own are nothing to it");
        }
    }

    #[test]
    fn anthropics_clients_read_times() {
        let expected = pairs(&[
            ("anthropic-ratelimit-requests-limit", "500"),
            ("anthropic-ratelimit-requests-remaining", "499"),
            ("anthropic-ratelimit-requests-reset", "2026-11-01T12:00:01Z"),
            ("anthropic-ratelimit-tokens-limit", "30000"),
            ("anthropic-ratelimit-tokens-remaining", "500"),
            ("anthropic-ratelimit-tokens-reset", "2026-11-01T12:06:00Z"),
        ]);
        assert_eq!(shown(Dialect::Anthropic, &allowances()), expected);
    }

    #[test]
    fn a_client_without_limits_reads_what_the_provider_says() {
        assert_eq!(shown(Dialect::OpenAiChat, &Allowances::default()).len(), 3);
        let requests = Allowances { of_tokens: None, ..allowances() };
        assert_eq!(shown(Dialect::OpenAiChat, &requests).len(), 3);
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (ms, text) in [
            (0, "0s"),
            (1, "1ms"),
            (120, "120ms"),
            (1_000, "1s"),
            (8_640, "8.64s"),
            (59_005, "59.005s"),
            (60_000, "1m0s"),
            (360_500, "6m0.5s"),
            (3_723_000, "1h2m3s"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(ms)), text);
        }
    }
}
