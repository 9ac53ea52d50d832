//! How long a provider asks us to wait (§6.3 of the wire formats).

use super::body::{Facts, ResetsAt};
use cliproxy_domain::WallTime;
use http::HeaderMap;
use std::time::Duration;

/// What OpenAI and Anthropic call their limits in headers.
const OPENAI_LIMITS: [&str; 3] = ["requests", "tokens", "tokens_usage_based"];
const ANTHROPIC_LIMITS: [&str; 6] = [
    "requests",
    "tokens",
    "input-tokens",
    "output-tokens",
    "priority-input-tokens",
    "priority-output-tokens",
];

/// Gives the first wait that is named: `retry-after-ms`, `retry-after`, RetryInfo, the latest reset among the
/// limits that are used up, the body's reset. Values that make no sense are passed over.
pub(super) fn wait(headers: &HeaderMap, facts: &Facts, now: WallTime) -> Option<Duration> {
    let sent = text(headers, "date").and_then(http_date).unwrap_or(now);
    text(headers, "retry-after-ms")
        .and_then(|text| seconds(text.parse::<f64>().ok()? / 1000.0))
        .or_else(|| text(headers, "retry-after").and_then(|text| retry_after(text, sent)))
        .or_else(|| facts.retry_delay.as_deref().and_then(protobuf_duration))
        .or_else(|| exhausted(headers, sent))
        .or_else(|| body_reset(facts, sent))
}

/// Gives the wait that an error within an answer names. A point in time is of no use there: there is no clock.
pub(super) fn wait_in_body(facts: &Facts) -> Option<Duration> {
    facts
        .retry_delay
        .as_deref()
        .and_then(protobuf_duration)
        .or_else(|| facts.resets_in_seconds.and_then(seconds))
}

/// Reads `x-should-retry`, the word that both SDK families obey before all else.
pub(super) fn should_retry(headers: &HeaderMap) -> Option<bool> {
    match text(headers, "x-should-retry")? {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Turns a number of seconds into a duration: nothing for negative numbers and for what is no number, the
/// longest duration for what is too large for one.
pub(super) fn seconds(value: f64) -> Option<Duration> {
    if value.is_nan() || value < 0.0 {
        return None;
    }
    Some(Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX))
}

fn retry_after(text: &str, sent: WallTime) -> Option<Duration> {
    match text.parse::<f64>() {
        Ok(value) => seconds(value),
        Err(_) => http_date(text).map(|until| until.since(sent)),
    }
}

pub(super) fn http_date(text: &str) -> Option<WallTime> {
    let time = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    Some(WallTime(time.as_millisecond()))
}

pub(super) fn rfc_3339(text: &str) -> Option<WallTime> {
    Some(WallTime(text.parse::<jiff::Timestamp>().ok()?.as_millisecond()))
}

/// Reads a protobuf Duration: `45.837906927s`.
fn protobuf_duration(text: &str) -> Option<Duration> {
    seconds(text.strip_suffix('s')?.parse().ok()?)
}

/// Reads a Go duration: `120ms`, `1s`, `6m0s`, `1h2m3.5s`.
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let value: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let length = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += value
            * match &rest[..length] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" | "μs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[length..];
    }
    if text.is_empty() { None } else { seconds(total) }
}

/// Gives the latest reset among the limits of which nothing remains. Some Azure versions send −1 or 0 for a
/// limit that they do not keep (pitfall 38): such a limit says nothing.
fn exhausted(headers: &HeaderMap, sent: WallTime) -> Option<Duration> {
    let openai = OPENAI_LIMITS.iter().filter_map(|limit| {
        let value = |part| text(headers, &format!("x-ratelimit-{part}-{limit}"));
        if !is_used_up(value("limit"), value("remaining")) {
            return None;
        }
        go_duration(value("reset")?)
    });
    let anthropic = ANTHROPIC_LIMITS.iter().filter_map(|limit| {
        // The priority limits are spelled `anthropic-priority-…`, without `ratelimit`.
        let prefix = if limit.starts_with("priority") { "anthropic" } else { "anthropic-ratelimit" };
        let value = |part| text(headers, &format!("{prefix}-{limit}-{part}"));
        if !is_used_up(value("limit"), value("remaining")) {
            return None;
        }
        Some(rfc_3339(value("reset")?)?.since(sent))
    });
    openai.chain(anthropic).max()
}

fn is_used_up(limit: Option<&str>, remaining: Option<&str>) -> bool {
    let kept = limit.is_none_or(|limit| limit.parse::<i64>().is_ok_and(|limit| limit > 0));
    kept && remaining.is_some_and(|remaining| remaining.parse::<i64>() == Ok(0))
}

fn body_reset(facts: &Facts, sent: WallTime) -> Option<Duration> {
    facts.resets_in_seconds.and_then(seconds).or_else(|| {
        let until = match facts.resets_at.as_ref()? {
            ResetsAt::Text(text) => rfc_3339(text)?,
            // A cast to an integer saturates.
            ResetsAt::Seconds(at) => WallTime((at * 1000.0) as i64),
        };
        Some(until.since(sent))
    })
}

#[cfg(test)]
mod tests;
