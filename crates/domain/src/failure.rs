//! Why an upstream call failed: the one closed list that retry, cooldown, status code and accounting match on.

use std::time::Duration;

/// The part of a call that took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeoutPhase {
    /// Opening the connection.
    Connect,
    /// Waiting for the first byte of the answer.
    FirstByte,
    /// Waiting for the next event.
    Idle,
    /// The whole call.
    Total,
    /// What earlier attempts had left of the request's time: that says nothing of this provider.
    Deadline,
}

/// Why one attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The request itself is wrong; any provider would say so.
    InvalidRequest,
    /// The prompt is longer than this model takes; another may take it.
    ContextLength,
    /// The provider refused the credential (401, and Gemini's 400 `API_KEY_INVALID`).
    CredentialRejected,
    /// The credential may not do this (403).
    Permission,
    /// The credential has no money left (402, OpenAI's 429 `insufficient_quota`).
    Billing,
    /// The provider does not know the model (404).
    ModelNotFound,
    /// The body is larger than this provider takes (413).
    TooLarge,
    /// Too many requests or tokens in a short window (429).
    RateLimited {
        /// How long the provider asks us to wait, from any of its headers or the body.
        retry_after: Option<Duration>,
    },
    /// A daily or spend limit is used up (429): waiting a little does not help.
    LimitSpent {
        /// How long the provider says until it resets.
        retry_after: Option<Duration>,
    },
    /// The provider is overloaded (503, 529).
    Overloaded {
        /// How long the provider asks us to wait.
        retry_after: Option<Duration>,
    },
    /// The provider failed (other 5xx, 409, and statuses that nobody documented).
    Upstream,
    /// The provider did not answer in time (408, 504, or our own clock).
    Timeout(TimeoutPhase),
    /// The connection could not be opened, or was closed before anything came back.
    ConnectFailed,
    /// The answer began and broke off before its end.
    StreamBroken,
    /// The answer is not what its dialect says it must be.
    MalformedReply,
    /// The client hung up, so the call was cancelled.
    ClientGone,
}

/// The classes in which clients are told of an error, whatever dialect they speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// 400.
    InvalidRequest,
    /// 400, with a code of its own where the dialect has one.
    ContextLength,
    /// 401.
    Auth,
    /// 402, or 429 `insufficient_quota` to OpenAI clients.
    Billing,
    /// 403.
    Permission,
    /// 404.
    NotFound,
    /// 413.
    TooLarge,
    /// 429, worth retrying.
    RateLimit,
    /// 429, not worth retrying soon.
    SpendOrDailyLimit,
    /// 502.
    Upstream,
    /// 503, or 529 to Anthropic clients.
    Overloaded,
    /// 504.
    Timeout,
}

impl ErrorClass {
    /// All classes, in the order of their statuses.
    pub const ALL: [ErrorClass; 12] = [
        ErrorClass::InvalidRequest,
        ErrorClass::ContextLength,
        ErrorClass::Auth,
        ErrorClass::Billing,
        ErrorClass::Permission,
        ErrorClass::NotFound,
        ErrorClass::TooLarge,
        ErrorClass::RateLimit,
        ErrorClass::SpendOrDailyLimit,
        ErrorClass::Upstream,
        ErrorClass::Overloaded,
        ErrorClass::Timeout,
    ];

    /// Names the class as the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorClass::InvalidRequest => "invalid_request",
            ErrorClass::ContextLength => "context_length",
            ErrorClass::Auth => "auth",
            ErrorClass::Billing => "billing",
            ErrorClass::Permission => "permission",
            ErrorClass::NotFound => "not_found",
            ErrorClass::TooLarge => "too_large",
            ErrorClass::RateLimit => "rate_limit",
            ErrorClass::SpendOrDailyLimit => "spend_or_daily_limit",
            ErrorClass::Upstream => "upstream_error",
            ErrorClass::Overloaded => "overloaded",
            ErrorClass::Timeout => "timeout",
        }
    }
}

impl Failure {
    /// Gives the class that a client is told.
    pub fn class(self) -> ErrorClass {
        match self {
            Failure::InvalidRequest => ErrorClass::InvalidRequest,
            Failure::ContextLength => ErrorClass::ContextLength,
            Failure::CredentialRejected => ErrorClass::Auth,
            Failure::Permission => ErrorClass::Permission,
            Failure::Billing => ErrorClass::Billing,
            Failure::ModelNotFound => ErrorClass::NotFound,
            Failure::TooLarge => ErrorClass::TooLarge,
            Failure::RateLimited { .. } => ErrorClass::RateLimit,
            Failure::LimitSpent { .. } => ErrorClass::SpendOrDailyLimit,
            Failure::Overloaded { .. } => ErrorClass::Overloaded,
            Failure::Timeout(_) => ErrorClass::Timeout,
            Failure::Upstream
            | Failure::ConnectFailed
            | Failure::StreamBroken
            | Failure::MalformedReply
            | Failure::ClientGone => ErrorClass::Upstream,
        }
    }

    /// Names the failure as `error_type` in metrics and logs: a closed set.
    pub fn error_type(self) -> &'static str {
        match self {
            Failure::InvalidRequest => "invalid_request",
            Failure::ContextLength => "context_length",
            Failure::CredentialRejected => "credential_rejected",
            Failure::Permission => "permission",
            Failure::Billing => "billing",
            Failure::ModelNotFound => "model_not_found",
            Failure::TooLarge => "too_large",
            Failure::RateLimited { .. } => "rate_limit",
            Failure::LimitSpent { .. } => "limit_spent",
            Failure::Overloaded { .. } => "overloaded",
            Failure::Upstream => "upstream_error",
            Failure::Timeout(TimeoutPhase::Connect) => "connect_timeout",
            Failure::Timeout(_) => "timeout",
            Failure::ConnectFailed => "connect_failed",
            Failure::StreamBroken => "stream_broken",
            Failure::MalformedReply => "malformed_reply",
            Failure::ClientGone => "client_gone",
        }
    }

    /// Tells whether another target or credential may serve the request.
    pub fn may_fail_over(self) -> bool {
        !matches!(self, Failure::InvalidRequest | Failure::ClientGone)
    }

    /// Tells whether the same target and credential may be tried again after a pause.
    ///
    /// A rate limit is not among them: its credential rests until the time that the provider named.
    pub fn may_retry_same(self) -> bool {
        matches!(
            self,
            Failure::Overloaded { .. }
                | Failure::Upstream
                | Failure::Timeout(TimeoutPhase::Connect)
                | Failure::ConnectFailed
                | Failure::StreamBroken
                | Failure::MalformedReply
        )
    }

    /// Tells whether this speaks against the provider. The client's own mistakes, its hang-ups and its haste never
    /// do.
    pub fn counts_against_provider(self) -> bool {
        match self {
            Failure::RateLimited { .. }
            | Failure::LimitSpent { .. }
            | Failure::Overloaded { .. }
            | Failure::Upstream
            | Failure::ConnectFailed
            | Failure::StreamBroken
            | Failure::MalformedReply
            | Failure::Billing => true,
            Failure::Timeout(phase) => phase != TimeoutPhase::Deadline,
            Failure::InvalidRequest
            | Failure::ContextLength
            | Failure::CredentialRejected
            | Failure::Permission
            | Failure::ModelNotFound
            | Failure::TooLarge
            | Failure::ClientGone => false,
        }
    }

    /// Gives the wait that the provider asked for.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Failure::RateLimited { retry_after }
            | Failure::LimitSpent { retry_after }
            | Failure::Overloaded { retry_after } => retry_after,
            _ => None,
        }
    }
}

/// A failed attempt with what people need to read about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AttemptError {
    /// What code decides on.
    pub failure: Failure,
    /// The provider's HTTP status, when it gave one.
    pub status: Option<u16>,
    /// The provider's or our own words: at most 1 KiB, without keys and URLs.
    pub message: String,
    /// Whether the provider spoke of this model alone: the credential may serve others.
    pub about_model: bool,
    /// What the provider says of trying the same again, where it says anything (`x-should-retry`).
    pub should_retry: Option<bool>,
}

impl AttemptError {
    /// Describes a failure that has no HTTP status.
    pub fn new(failure: Failure, message: impl Into<String>) -> Self {
        Self { failure, status: None, message: message.into(), about_model: false, should_retry: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_own_errors_never_count_against_a_provider() {
        for failure in [
            Failure::InvalidRequest,
            Failure::ContextLength,
            Failure::ModelNotFound,
            Failure::TooLarge,
            Failure::ClientGone,
        ] {
            assert!(!failure.counts_against_provider(), "{failure:?}");
        }
    }

    #[test]
    fn every_class_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> = ErrorClass::ALL.map(ErrorClass::as_str).into();
        assert_eq!(names.len(), ErrorClass::ALL.len());
    }

    #[test]
    fn a_rate_limit_is_not_retried_on_its_own_credential() {
        assert!(!Failure::RateLimited { retry_after: None }.may_retry_same());
        assert!(Failure::RateLimited { retry_after: None }.may_fail_over());
    }
}
