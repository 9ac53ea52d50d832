//! What an error body says, in whatever family's envelope it comes.

use crate::json;
use serde_json::{Map, Value};

/// The most of an error body that is looked at; error bodies are small.
const MAX_BODY_BYTES: usize = 256 << 10;

/// The facts of an error body. All labels are in lower case.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The provider's own words.
    pub(super) message: Option<String>,
    /// `error.code` when it is text.
    pub(super) code: Option<String>,
    /// `error.code` when it is a number.
    number: Option<u16>,
    /// Types, codes, statuses and reasons, in the order from specific to general.
    labels: Vec<String>,
    /// The quota that a Gemini project has used up.
    quota_ids: Vec<String>,
    /// How many of those quotas are of one model.
    quotas_of_models: usize,
    /// `RetryInfo.retryDelay`.
    pub(super) retry_delay: Option<String>,
    /// `resets_in_seconds`.
    pub(super) resets_in_seconds: Option<f64>,
    /// `resets_at`.
    pub(super) resets_at: Option<ResetsAt>,
}

/// A time in a body, in one of the two forms seen.
#[derive(Debug)]
pub(super) enum ResetsAt {
    /// Unix seconds.
    Seconds(f64),
    /// RFC 3339.
    Text(String),
}

impl Facts {
    /// Reads an error body; of one that is no JSON object there are no facts.
    ///
    /// This is not the hot path: a tree is read, as providers disagree on the shape.
    pub(super) fn read(body: &[u8]) -> Self {
        if body.len() > MAX_BODY_BYTES {
            return Self::default();
        }
        let mut facts = Self::default();
        match json::read(body) {
            Some(Value::Object(object)) => facts.envelope(&object),
            // Gemini wraps the error of a stream without `alt=sse` into an array.
            Some(Value::Array(elements)) => {
                if let Some(Value::Object(object)) = elements.first() {
                    facts.envelope(object);
                }
            }
            _ => {}
        }
        facts
    }

    fn envelope(&mut self, object: &Map<String, Value>) {
        match object.get("error").or_else(|| object.get("response").and_then(|r| r.get("error"))) {
            Some(Value::Object(error)) => {
                self.error(error);
                self.resets(object);
            }
            Some(Value::String(message)) => {
                self.error(object);
                self.message.get_or_insert_with(|| message.clone());
            }
            _ => self.error(object),
        }
    }

    fn error(&mut self, error: &Map<String, Value>) {
        self.message = ["message", "detail"]
            .iter()
            .find_map(|key| error.get(*key).and_then(Value::as_str))
            .map(str::to_owned);
        match error.get("code") {
            Some(Value::String(code)) => self.code = Some(code.to_ascii_lowercase()),
            Some(Value::Number(number)) => self.number = number.as_u64().and_then(|n| u16::try_from(n).ok()),
            _ => {}
        }
        self.details(error.get("details"));
        self.label(error.get("code"));
        self.label(error.get("status"));
        self.label(error.get("type"));
        self.resets(error);
    }

    fn label(&mut self, value: Option<&Value>) {
        if let Some(text) = value.and_then(Value::as_str) {
            self.labels.push(text.to_ascii_lowercase());
        }
    }

    /// Anthropic's details are an object with `error_code`, Gemini's a list of typed objects.
    fn details(&mut self, details: Option<&Value>) {
        match details {
            Some(Value::Object(details)) => {
                self.label(details.get("error_code"));
                self.resets(details);
            }
            Some(Value::Array(details)) => {
                for detail in details {
                    self.label(detail.get("reason"));
                    if let Some(delay) = detail.get("retryDelay").and_then(Value::as_str) {
                        self.retry_delay = Some(delay.to_owned());
                    }
                    let violations = detail.get("violations").and_then(Value::as_array);
                    for violation in violations.into_iter().flatten() {
                        if let Some(id) = violation.get("quotaId").and_then(Value::as_str) {
                            self.quota_ids.push(id.to_owned());
                            let model = violation.get("quotaDimensions").and_then(|of| of.get("model"));
                            self.quotas_of_models += usize::from(model.is_some_and(Value::is_string));
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn resets(&mut self, object: &Map<String, Value>) {
        if let Some(seconds) = object.get("resets_in_seconds").and_then(Value::as_f64) {
            self.resets_in_seconds = Some(seconds);
        }
        match object.get("resets_at") {
            Some(Value::String(text)) => self.resets_at = Some(ResetsAt::Text(text.clone())),
            Some(Value::Number(number)) => self.resets_at = number.as_f64().map(ResetsAt::Seconds),
            _ => {}
        }
    }

    /// Tells whether the error names itself `label` anywhere.
    pub(super) fn has_label(&self, label: &str) -> bool {
        self.labels.iter().any(|own| own == label)
    }

    /// Tells whether the message has `words`, whatever their case.
    pub(super) fn message_has(&self, words: &str) -> bool {
        self.message.as_deref().is_some_and(|text| text.to_ascii_lowercase().contains(words))
    }

    /// Tells whether the prompt was too long for the model. Only OpenAI has a code for it.
    pub(super) fn too_long(&self) -> bool {
        self.has_label("context_length_exceeded")
            || self.message_has("prompt is too long")
            || self.message_has("maximum context length")
            || self.message_has("exceed context limit")
            || self.message_has("exceeds the maximum number of tokens")
    }

    /// Tells whether the account has no money left.
    pub(super) fn out_of_money(&self) -> bool {
        ["insufficient_quota", "credit_balance_exhausted", "billing_error"]
            .iter()
            .any(|label| self.has_label(label))
            || self.message_has("credit balance is too low")
    }

    /// Tells whether a limit of a day or of spending is used up: OpenAI's `…_spend_limit_exceeded` and
    /// `…_usage_limit_exceeded`, Anthropic's `…_spend_limit_reached`, Gemini's quotas per day.
    pub(super) fn limit_spent(&self) -> bool {
        self.labels.iter().any(|label| label.contains("spend_limit") || label.contains("usage_limit"))
            || self.quota_ids.iter().any(|id| id.contains("PerDay"))
            || self.says_limit_zero()
    }

    /// Tells whether Gemini names a model with each quota that is used up.
    pub(super) fn quotas_are_of_models(&self) -> bool {
        !self.quota_ids.is_empty() && self.quotas_of_models == self.quota_ids.len()
    }

    /// Gemini says `limit: 0` where a model has no quota at all; `limit: 05` or `limit: 0.5` are others.
    fn says_limit_zero(&self) -> bool {
        let Some(text) = self.message.as_deref() else { return false };
        text.match_indices("limit: 0").any(|(at, found)| {
            let after = &text.as_bytes()[at + found.len()..];
            !matches!(after, [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..])
        })
    }

    /// Tells whether the provider says that it is overloaded, whatever the status.
    pub(super) fn overloaded(&self) -> bool {
        ["overloaded_error", "server_is_overloaded", "unavailable", "service_unavailable_error"]
            .iter()
            .any(|label| self.has_label(label))
    }

    /// Gives the status that an error within an answer would have had: its numeric code, else by its names,
    /// the most specific first.
    pub(super) fn implied_status(&self) -> Option<u16> {
        let numeric = self.number.filter(|number| (400..=599).contains(number));
        numeric.or_else(|| self.labels.iter().find_map(|label| status_of(label)))
    }
}

fn status_of(label: &str) -> Option<u16> {
    Some(match label {
        "overloaded_error" | "server_is_overloaded" | "unavailable" | "service_unavailable_error" => 503,
        "rate_limit_error"
        | "rate_limit_exceeded"
        | "resource_exhausted"
        | "slow_down"
        | "too_many_requests"
        | "insufficient_quota"
        | "credit_balance_exhausted" => 429,
        "billing_error" => 402,
        "authentication_error" | "invalid_api_key" | "unauthenticated" => 401,
        "permission_error" | "permission_denied" => 403,
        "not_found_error" | "model_not_found" | "not_found" => 404,
        "request_too_large" => 413,
        "timeout_error" | "deadline_exceeded" | "vector_store_timeout" => 504,
        "context_length_exceeded"
        | "invalid_request_error"
        | "invalid_argument"
        | "failed_precondition"
        | "api_key_invalid" => 400,
        "api_error" | "server_error" | "internal" => 500,
        label if label.contains("spend_limit") || label.contains("usage_limit") => 429,
        // The codes of a failed Response: `invalid_prompt`, `invalid_image_format`, `image_too_large`,
        // `empty_image_file`, `bio_policy` and their like.
        label if label.starts_with("invalid_") || label.contains("image") || label.ends_with("_policy") => {
            400
        }
        _ => return None,
    })
}
