//! Errors in each family's shape.

use crate::{
    clock,
    script::{ErrorKind, Family, Hint},
    strict::Refusal,
};
use serde_json::{Value, json};
use std::time::Duration;

/// How a family names an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spelling {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `type` (OpenAI, Anthropic) or `status` (Gemini).
    pub(crate) kind: &'static str,
    /// `code` (OpenAI), `details.error_code` (Anthropic).
    pub(crate) code: Option<&'static str>,
}

/// Gives a family's spelling of an error.
pub(crate) fn spelling(family: Family, kind: ErrorKind) -> Spelling {
    let (status, kind, code) = match family {
        Family::OpenAi => openai(kind),
        Family::Anthropic => anthropic(kind),
        Family::Gemini => gemini(kind),
    };
    Spelling { status, kind, code }
}

type Row = (u16, &'static str, Option<&'static str>);

fn openai(kind: ErrorKind) -> Row {
    const BAD: &str = "invalid_request_error";
    match kind {
        ErrorKind::BadRequest => (400, BAD, None),
        ErrorKind::ContextLength => (400, BAD, Some("context_length_exceeded")),
        ErrorKind::Auth => (401, BAD, Some("invalid_api_key")),
        ErrorKind::Permission => (403, BAD, None),
        ErrorKind::NotFound => (404, BAD, Some("model_not_found")),
        ErrorKind::TooLarge => (413, BAD, None),
        ErrorKind::RateLimit => (429, "requests", Some("rate_limit_exceeded")),
        ErrorKind::Quota => (429, "insufficient_quota", Some("credit_balance_exhausted")),
        ErrorKind::DailyQuota => (429, "insufficient_quota", Some("organization_usage_limit_exceeded")),
        ErrorKind::ServerError => (500, "server_error", Some("server_error")),
        ErrorKind::BadGateway => (502, "server_error", None),
        ErrorKind::Overloaded | ErrorKind::Unavailable => {
            (503, "service_unavailable_error", Some("server_is_overloaded"))
        }
        ErrorKind::Timeout => (504, "server_error", None),
    }
}

fn anthropic(kind: ErrorKind) -> Row {
    match kind {
        ErrorKind::BadRequest | ErrorKind::ContextLength => (400, "invalid_request_error", None),
        ErrorKind::Auth => (401, "authentication_error", None),
        ErrorKind::Permission => (403, "permission_error", None),
        ErrorKind::NotFound => (404, "not_found_error", None),
        ErrorKind::TooLarge => (413, "request_too_large", None),
        ErrorKind::RateLimit => (429, "rate_limit_error", None),
        ErrorKind::Quota => (402, "billing_error", None),
        ErrorKind::DailyQuota => (429, "rate_limit_error", Some("enforced_spend_limit_reached")),
        ErrorKind::ServerError => (500, "api_error", None),
        ErrorKind::BadGateway => (502, "api_error", None),
        ErrorKind::Overloaded => (529, "overloaded_error", None),
        ErrorKind::Unavailable => (503, "api_error", None),
        ErrorKind::Timeout => (504, "timeout_error", None),
    }
}

fn gemini(kind: ErrorKind) -> Row {
    match kind {
        ErrorKind::BadRequest | ErrorKind::ContextLength | ErrorKind::Auth | ErrorKind::TooLarge => {
            (400, "INVALID_ARGUMENT", None)
        }
        ErrorKind::Permission => (403, "PERMISSION_DENIED", None),
        ErrorKind::NotFound => (404, "NOT_FOUND", None),
        ErrorKind::RateLimit | ErrorKind::DailyQuota => (429, "RESOURCE_EXHAUSTED", None),
        ErrorKind::Quota => (402, "RESOURCE_EXHAUSTED", None),
        ErrorKind::ServerError => (500, "INTERNAL", None),
        ErrorKind::BadGateway => (502, "INTERNAL", None),
        ErrorKind::Overloaded | ErrorKind::Unavailable => (503, "UNAVAILABLE", None),
        ErrorKind::Timeout => (504, "DEADLINE_EXCEEDED", None),
    }
}

/// Says what went wrong, in words like the provider's.
pub(crate) fn message(family: Family, kind: ErrorKind, model: &str) -> String {
    match (kind, family) {
        (ErrorKind::BadRequest, _) => "The request is not valid.".into(),
        (ErrorKind::ContextLength, Family::Anthropic) => {
            "prompt is too long: 210000 tokens > 200000 maximum".into()
        }
        (ErrorKind::ContextLength, Family::OpenAi) => {
            "This model's maximum context length is 128000 tokens.".into()
        }
        (ErrorKind::ContextLength, Family::Gemini) => {
            "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).".into()
        }
        (ErrorKind::Auth, Family::OpenAi) => "Incorrect API key provided.".into(),
        (ErrorKind::Auth, Family::Anthropic) => "invalid x-api-key".into(),
        (ErrorKind::Auth, Family::Gemini) => "API key not valid. Please pass a valid API key.".into(),
        (ErrorKind::Permission, _) => "Your API key does not have the required permissions.".into(),
        (ErrorKind::NotFound, Family::OpenAi) => {
            format!("The model `{model}` does not exist or you do not have access to it.")
        }
        (ErrorKind::NotFound, Family::Anthropic) => format!("model: {model}"),
        (ErrorKind::NotFound, Family::Gemini) => {
            format!("models/{model} is not found for API version v1beta, or is not supported.")
        }
        (ErrorKind::TooLarge, _) => "Request exceeds the maximum size".into(),
        (ErrorKind::RateLimit, _) => "Rate limit reached: requests per minute.".into(),
        (ErrorKind::Quota, _) => "Your credit balance is too low.".into(),
        (ErrorKind::DailyQuota, Family::Gemini) => "You exceeded your current quota.".into(),
        (ErrorKind::DailyQuota, _) => "You have reached your usage limit.".into(),
        (ErrorKind::ServerError, _) => "An internal error has occurred.".into(),
        (ErrorKind::BadGateway, _) => "Bad gateway.".into(),
        (ErrorKind::Overloaded | ErrorKind::Unavailable, _) => {
            "The model is overloaded. Please try again later.".into()
        }
        (ErrorKind::Timeout, _) => "The request timed out while processing.".into(),
    }
}

/// Writes an error body. `status` is the one answered, `request` makes Anthropic's request id.
pub(crate) fn body(
    family: Family,
    kind: ErrorKind,
    hinted: Option<(u16, Hint)>,
    model: &str,
    request: u64,
) -> String {
    let text = message(family, kind, model);
    let (status, hint) = hinted.unwrap_or((spelling(family, kind).status, Hint::default()));
    body_with(family, kind, status, &text, details(family, kind, hint, model), request)
}

/// Writes the body of a request refused with a text of our own.
pub(crate) fn refusal(family: Family, kind: ErrorKind, text: &str, request: u64) -> String {
    let details = details(family, kind, Hint::default(), "");
    body_with(family, kind, spelling(family, kind).status, text, details, request)
}

/// Writes the body of a request that the real API refuses.
pub(crate) fn strict_refusal(family: Family, refused: &Refusal, request: u64) -> String {
    let kind = ErrorKind::BadRequest;
    if family == Family::OpenAi {
        let what = spelling(family, kind);
        let error = json!({
            "message": refused.message, "type": what.kind, "param": refused.param, "code": refused.code,
        });
        return json!({ "error": error }).to_string();
    }
    refusal(family, kind, &refused.message, request)
}

fn body_with(
    family: Family,
    kind: ErrorKind,
    status: u16,
    text: &str,
    details: Vec<Value>,
    request: u64,
) -> String {
    let what = spelling(family, kind);
    match family {
        Family::OpenAi => {
            let mut error = json!({"message": text, "type": what.kind, "param": null, "code": what.code});
            add_details(&mut error, details);
            json!({ "error": error }).to_string()
        }
        Family::Anthropic => {
            let mut error = json!({"type": what.kind, "message": text});
            match what.code {
                Some(code) => error["details"] = json!({ "error_code": code }),
                None => add_details(&mut error, details),
            }
            let request_id = format!("req_{request:016x}");
            json!({"type": "error", "error": error, "request_id": request_id}).to_string()
        }
        Family::Gemini => {
            // The SDK knows an error in a stream by `error` as the first key and an integer `code`.
            let mut error = json!({"code": status, "message": text, "status": what.kind});
            add_details(&mut error, details);
            json!({ "error": error }).to_string()
        }
    }
}

fn add_details(error: &mut Value, details: Vec<Value>) {
    if !details.is_empty() {
        error["details"] = Value::Array(details);
    }
}

/// Makes the `details` of an error: Gemini's own, and RetryInfo wherever the script asks for it.
fn details(family: Family, kind: ErrorKind, hint: Hint, model: &str) -> Vec<Value> {
    let mut details = Vec::new();
    if family == Family::Gemini {
        match kind {
            ErrorKind::Auth => details.push(json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
                "domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"},
            })),
            ErrorKind::RateLimit => {
                details.push(quota_failure("GenerateRequestsPerMinutePerProjectPerModel", model));
            }
            ErrorKind::DailyQuota => {
                details.push(quota_failure("GenerateRequestsPerDayPerProjectPerModel-FreeTier", model));
            }
            _ => {}
        }
    }
    if let Some(seconds) = hint.retry_info_s {
        let delay = format!("{seconds}s");
        details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}));
    }
    details
}

fn quota_failure(quota: &str, model: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests", "quotaId": quota,
        "quotaDimensions": {"location": "global", "model": model}, "quotaValue": "20",
    }]})
}

/// Makes the headers that a hint asks for.
pub(crate) fn hint_headers(hint: Hint) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    if let Some(seconds) = hint.retry_after_s {
        headers.push(("retry-after", seconds.to_string()));
    } else if let Some(seconds) = hint.retry_after_date_s {
        headers.push(("retry-after", clock::http_date_in(Duration::from_secs(seconds))));
    }
    if let Some(millis) = hint.retry_after_ms {
        headers.push(("retry-after-ms", millis.to_string()));
    }
    if let Some(seconds) = hint.anthropic_reset_s {
        let reset = clock::rfc3339_in(Duration::from_secs(seconds));
        let windows = [
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", &reset),
            ("anthropic-ratelimit-tokens-limit", "40000"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", &reset),
            ("anthropic-ratelimit-input-tokens-limit", "30000"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", &reset),
            ("anthropic-ratelimit-output-tokens-limit", "8000"),
            ("anthropic-ratelimit-output-tokens-remaining", "7000"),
            ("anthropic-ratelimit-output-tokens-reset", &clock::rfc3339_in(Duration::ZERO)),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        headers.extend(windows);
    }
    if let Some(millis) = hint.x_ratelimit_reset_ms {
        let reset = go_duration(millis);
        let windows = [
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", &reset),
            ("x-ratelimit-limit-tokens", "30000"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", &reset),
        ];
        headers.extend(windows.map(|(name, value)| (name, value.to_owned())));
    }
    if let Some(should) = hint.should_retry {
        headers.push(("x-should-retry", should.to_string()));
    }
    headers
}

/// Spells a duration as Go does: `120ms`, `1.5s`, `6m0s`, `1h2m3s`.
fn go_duration(millis: u64) -> String {
    if millis < 1_000 {
        return format!("{millis}ms");
    }
    let (seconds, rest) = (millis / 1_000 % 60, millis % 1_000);
    let fraction = if rest == 0 { String::new() } else { format!(".{rest:03}") };
    let fraction = fraction.trim_end_matches('0');
    match (millis / 3_600_000, millis / 60_000 % 60) {
        (0, 0) => format!("{seconds}{fraction}s"),
        (0, minutes) => format!("{minutes}m{seconds}{fraction}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}{fraction}s"),
    }
}

#[cfg(test)]
mod tests;
