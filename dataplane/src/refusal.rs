//! What the gateway itself refuses, before or instead of an upstream's answer.

mod limits;

pub use limits::{Amount, QUOTA_EXHAUSTED, QUOTA_UNAVAILABLE, RATE_LIMITED};

use cliproxy_domain::ErrorClass;
use std::{borrow::Cow, time::Duration};

/// A refusal, to be told in the client's dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The class that decides status and type.
    pub class: ErrorClass,
    /// A status that says more than the class's own.
    pub status: Option<u16>,
    /// A code of our own, where the dialect has a place for it.
    pub code: Option<&'static str>,
    /// What is wrong and how to mend it.
    pub message: Cow<'static, str>,
    /// The request's field that is wrong.
    pub param: Option<Cow<'static, str>>,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// The methods that the path takes, for 405.
    pub allow: Option<&'static str>,
}

impl Refusal {
    /// Refuses with the class's own status.
    pub fn new(class: ErrorClass, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            class,
            status: None,
            code: None,
            message: message.into(),
            param: None,
            retry_after: None,
            allow: None,
        }
    }

    /// Sets a status that says more than the class's own.
    pub fn with_status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// Sets a code of our own.
    pub fn with_code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// Names the field that is wrong.
    pub fn with_param(self, param: Option<&'static str>) -> Self {
        Self { param: param.map(Cow::Borrowed), ..self }
    }

    /// Tells whether the reason is that no target can do what was asked for.
    pub fn is_of_capability(&self) -> bool {
        self.code == Some("capability")
    }

    /// Names the closed set's word for this refusal, for metrics and the access log.
    pub fn error_type(&self) -> &'static str {
        if let Some(code @ (QUOTA_EXHAUSTED | QUOTA_UNAVAILABLE | RATE_LIMITED)) = self.code {
            return code;
        }
        match (self.class, self.status) {
            (_, Some(405)) => "method_not_allowed",
            (_, Some(408)) => "client_too_slow",
            (_, Some(415)) => "unsupported_encoding",
            (ErrorClass::InvalidRequest | ErrorClass::ContextLength, _) => "invalid_request",
            (ErrorClass::Auth, _) => "unauthenticated",
            (ErrorClass::Permission, _) => "forbidden",
            (ErrorClass::NotFound, _) => "not_found",
            (ErrorClass::TooLarge, _) => "too_large",
            (ErrorClass::RateLimit | ErrorClass::SpendOrDailyLimit | ErrorClass::Billing, _) => "no_target",
            (ErrorClass::Upstream | ErrorClass::Overloaded, _) => "no_target",
            (ErrorClass::Timeout, _) => "timeout",
        }
    }
}
