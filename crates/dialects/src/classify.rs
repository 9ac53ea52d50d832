//! Why a provider refused: its status, headers and body, turned into the closed list of failures (§6 of the
//! wire formats).

mod body;
mod limits;
mod message;
mod retry;

pub use limits::{ToldLimits, told_limits};

use body::Facts;
use cliproxy_domain::{AttemptError, ErrorClass, ErrorRule, Failure, ProviderKind, TimeoutPhase, WallTime};
use http::HeaderMap;
use std::time::Duration;

/// Classifies a provider's HTTP answer that is no success.
///
/// Status and code decide together: a 429 may be a rate limit, a spent limit or an empty account. A body that
/// is not JSON (load balancers send HTML, or nothing) leaves the decision to the status. The wait is what the
/// provider names, by the order of §6.3, as absurd as it may be: the caller clamps it. The message is the
/// provider's own, at most 1 KiB, without URLs and keys. The first of `rules` that fits has the word.
pub fn classify(
    kind: ProviderKind,
    rules: &[ErrorRule],
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    now: WallTime,
) -> AttemptError {
    let facts = Facts::read(body);
    let wait = retry::wait(headers, &facts, now);
    let failure = by_rule(rules, status, &facts, wait).unwrap_or_else(|| decide(kind, status, &facts, wait));
    AttemptError {
        failure,
        status: Some(status),
        message: facts
            .message
            .as_deref()
            .map(message::clean)
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| format!("the provider answered with status {status}")),
        about_model: is_about_model(failure, &facts),
        should_retry: retry::should_retry(headers),
    }
}

/// Classifies an error that came within an answer of status 200: an error event, or a body that is one.
///
/// `json` is the error object or the object around it.
pub(crate) fn in_stream(json: &str) -> AttemptError {
    in_stream_bytes(json.as_bytes())
}

/// See [`in_stream`].
pub(crate) fn in_stream_bytes(json: &[u8]) -> AttemptError {
    let facts = Facts::read(json);
    let status = facts.implied_status().unwrap_or(500);
    // The names in the error tell its family; nothing here differs by kind of provider.
    let failure = decide(ProviderKind::OpenAiCompatible, status, &facts, retry::wait_in_body(&facts));
    let message = facts.message.as_deref().map(message::clean).filter(|text| !text.is_empty());
    let message = message.unwrap_or_else(|| "the provider reported an error without a message".to_owned());
    AttemptError { about_model: is_about_model(failure, &facts), ..AttemptError::new(failure, message) }
}

/// Tells whether the provider speaks of this model alone, so that its credential may serve others: Gemini names the
/// model whose quota is used up, OpenAI says with a code that a project may not use a model.
fn is_about_model(failure: Failure, facts: &Facts) -> bool {
    match failure {
        Failure::RateLimited { .. } | Failure::LimitSpent { .. } => facts.quotas_are_of_models(),
        Failure::Permission => facts.has_label("model_not_found"),
        _ => false,
    }
}

/// Reads an error by what a profile says of it.
fn by_rule(rules: &[ErrorRule], status: u16, facts: &Facts, wait: Option<Duration>) -> Option<Failure> {
    let fits = |rule: &&ErrorRule| {
        rule.status.is_none_or(|wanted| wanted == status)
            && rule.code.as_deref().is_none_or(|code| facts.has_label(&code.to_ascii_lowercase()))
            && rule.message.as_deref().is_none_or(|part| facts.message_has(&part.to_ascii_lowercase()))
    };
    Some(match rules.iter().find(fits)?.class {
        ErrorClass::InvalidRequest => Failure::InvalidRequest,
        ErrorClass::ContextLength => Failure::ContextLength,
        ErrorClass::Auth => Failure::CredentialRejected,
        ErrorClass::Billing => Failure::Billing,
        ErrorClass::Permission => Failure::Permission,
        ErrorClass::NotFound => Failure::ModelNotFound,
        ErrorClass::TooLarge => Failure::TooLarge,
        ErrorClass::RateLimit => Failure::RateLimited { retry_after: wait },
        ErrorClass::SpendOrDailyLimit => Failure::LimitSpent { retry_after: wait },
        ErrorClass::Upstream => Failure::Upstream,
        ErrorClass::Overloaded => Failure::Overloaded { retry_after: wait },
        ErrorClass::Timeout => Failure::Timeout(TimeoutPhase::Total),
    })
}

fn decide(kind: ProviderKind, status: u16, facts: &Facts, wait: Option<Duration>) -> Failure {
    match status {
        400 | 422 => bad_request(kind, facts, wait),
        401 => Failure::CredentialRejected,
        402 => Failure::Billing,
        403 if facts.out_of_money() => Failure::Billing,
        403 | 451 => Failure::Permission,
        404 => not_found(facts),
        408 | 504 => Failure::Timeout(TimeoutPhase::Total),
        413 => Failure::TooLarge,
        411 | 414 | 415 | 431 => Failure::InvalidRequest,
        429 => too_many(facts, wait),
        503 | 529 => Failure::Overloaded { retry_after: wait },
        500..=599 if facts.overloaded() => Failure::Overloaded { retry_after: wait },
        // 409, 499, other 5xx, redirects and whatever nobody documented.
        _ => Failure::Upstream,
    }
}

fn bad_request(kind: ProviderKind, facts: &Facts, wait: Option<Duration>) -> Failure {
    // Gemini says 400 to a bad key.
    if facts.has_label("api_key_invalid") || facts.has_label("invalid_api_key") {
        Failure::CredentialRejected
    } else if facts.has_label("model_not_found") {
        Failure::ModelNotFound
    } else if facts.too_long() {
        Failure::ContextLength
    } else if facts.out_of_money() {
        Failure::Billing
    } else if facts.limit_spent() || (kind == ProviderKind::Anthropic && facts.message_has("usage limits")) {
        // Anthropic says 400 at a limit that the customer set.
        Failure::LimitSpent { retry_after: wait }
    } else {
        Failure::InvalidRequest
    }
}

/// A 404 means the model, unless its code names something else that was not found, as a previous response.
fn not_found(facts: &Facts) -> Failure {
    match facts.code.as_deref() {
        Some(code) if code.ends_with("_not_found") && code != "model_not_found" => Failure::InvalidRequest,
        _ => Failure::ModelNotFound,
    }
}

fn too_many(facts: &Facts, wait: Option<Duration>) -> Failure {
    if facts.limit_spent() {
        Failure::LimitSpent { retry_after: wait }
    } else if facts.out_of_money() {
        Failure::Billing
    } else {
        Failure::RateLimited { retry_after: wait }
    }
}

#[cfg(test)]
mod tests;
