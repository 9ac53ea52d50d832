//! The table of `golden/errors.json`: what each class is called in each dialect.

use cliproxy_domain::ErrorClass;

/// One class in three spellings.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) status: u16,
    pub(super) openai_status: u16,
    pub(super) openai_type: &'static str,
    pub(super) openai_code: Option<&'static str>,
    pub(super) anthropic_status: u16,
    pub(super) anthropic_type: &'static str,
    pub(super) gemini_status: &'static str,
    /// Whether the same request may succeed later.
    pub(super) retryable: bool,
    /// Whether the official clients must be told not to retry, as they would by the status alone.
    pub(super) never_retry: bool,
}

const fn plain(
    status: u16,
    openai_type: &'static str,
    openai_code: Option<&'static str>,
    anthropic_type: &'static str,
    gemini_status: &'static str,
) -> Row {
    Row {
        status,
        openai_status: status,
        openai_type,
        openai_code,
        anthropic_status: status,
        anthropic_type,
        gemini_status,
        retryable: false,
        never_retry: false,
    }
}

const REQUEST: &str = "invalid_request_error";

static INVALID_REQUEST: Row = plain(400, REQUEST, None, REQUEST, "INVALID_ARGUMENT");
static CONTEXT_LENGTH: Row =
    plain(400, REQUEST, Some("context_length_exceeded"), REQUEST, "INVALID_ARGUMENT");
static AUTH: Row = plain(401, REQUEST, Some("invalid_api_key"), "authentication_error", "UNAUTHENTICATED");
static BILLING: Row = Row {
    openai_status: 429,
    never_retry: true,
    ..plain(
        402,
        "insufficient_quota",
        Some("credit_balance_exhausted"),
        "billing_error",
        "RESOURCE_EXHAUSTED",
    )
};
static PERMISSION: Row = plain(403, REQUEST, None, "permission_error", "PERMISSION_DENIED");
static NOT_FOUND: Row = plain(404, REQUEST, Some("model_not_found"), "not_found_error", "NOT_FOUND");
static TOO_LARGE: Row = plain(413, REQUEST, None, "request_too_large", "INVALID_ARGUMENT");
static RATE_LIMIT: Row = Row {
    retryable: true,
    ..plain(429, "rate_limit_error", Some("rate_limit_exceeded"), "rate_limit_error", "RESOURCE_EXHAUSTED")
};
static SPEND_OR_DAILY_LIMIT: Row = Row {
    never_retry: true,
    ..plain(
        429,
        "insufficient_quota",
        Some("organization_usage_limit_exceeded"),
        "rate_limit_error",
        "RESOURCE_EXHAUSTED",
    )
};
static UPSTREAM: Row = Row { retryable: true, ..plain(502, "server_error", None, "api_error", "INTERNAL") };
static OVERLOADED: Row = Row {
    anthropic_status: 529,
    retryable: true,
    ..plain(503, "service_unavailable_error", Some("server_is_overloaded"), "overloaded_error", "UNAVAILABLE")
};
static TIMEOUT: Row =
    Row { retryable: true, ..plain(504, "server_error", None, "timeout_error", "DEADLINE_EXCEEDED") };

/// Gives the row of a class.
pub(super) fn row(class: ErrorClass) -> &'static Row {
    match class {
        ErrorClass::InvalidRequest => &INVALID_REQUEST,
        ErrorClass::ContextLength => &CONTEXT_LENGTH,
        ErrorClass::Auth => &AUTH,
        ErrorClass::Billing => &BILLING,
        ErrorClass::Permission => &PERMISSION,
        ErrorClass::NotFound => &NOT_FOUND,
        ErrorClass::TooLarge => &TOO_LARGE,
        ErrorClass::RateLimit => &RATE_LIMIT,
        ErrorClass::SpendOrDailyLimit => &SPEND_OR_DAILY_LIMIT,
        ErrorClass::Upstream => &UPSTREAM,
        ErrorClass::Overloaded => &OVERLOADED,
        ErrorClass::Timeout => &TIMEOUT,
    }
}
