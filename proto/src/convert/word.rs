//! The words that stand for enum values on the wire, the same as in the configuration and in JSON.

use super::ConvertError;
use cliproxy_domain::{
    CooldownCause, Effort, ErrorClass, Exclusion, HealthState, LossMode, MaxTokensName, Need, OnLoss,
    Priority, ProviderKind, QuotaUnit, RateKind, SessionAffinity, SpentPolicy, Strategy, Thinking,
    UnsupportedTools, status::Source,
};

/// A closed set of values, each with its word.
pub(super) trait Word: Copy + 'static {
    /// Every value with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// Gives the word of a value.
    fn word(self) -> &'static str;
}

/// Writes the table and the exhaustive match from one list, so that neither can forget a value.
macro_rules! words {
    ($name:ident { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl Word for $name {
            const WORDS: &'static [(Self, &'static str)] = &[$(($name::$variant, $word)),+];

            fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word),+
                }
            }
        }
    };
}

words!(ProviderKind {
    Anthropic => "anthropic",
    OpenAi => "openai",
    Gemini => "gemini",
    OpenAiCompatible => "openai_compatible",
});
words!(Strategy { RoundRobin => "round_robin", QuotaAware => "quota_aware", Latency => "latency", Cost => "cost" });
words!(SessionAffinity { Off => "off", Declared => "declared", Opening => "opening" });
words!(QuotaUnit { Tokens => "tokens", Requests => "requests", Usd => "usd" });
words!(RateKind {
    RequestsPerMinute => "requests_per_minute",
    TokensPerMinute => "tokens_per_minute",
    ConcurrentRequests => "concurrent_requests",
});
words!(LossMode { Strict => "strict", Safe => "safe", Optimistic => "optimistic" });
words!(SpentPolicy { Stop => "stop", Finish => "finish", RejectNew => "reject_new" });
words!(Priority { Low => "low", Normal => "normal", High => "high" });
words!(Exclusion {
    Disabled => "disabled",
    Cooldown => "cooldown",
    Unhealthy => "unhealthy",
    QuotaExhausted => "quota_exhausted",
    RateLimited => "rate_limited",
    NoCredential => "no_credential",
    CircuitHalfOpenBusy => "circuit_half_open_busy",
    Capability => "capability",
    NotAllowed => "not_allowed",
    NoPrice => "no_price",
});
words!(CooldownCause {
    RateLimit => "rate_limit",
    QuotaExhausted => "quota_exhausted",
    CredentialRejected => "credential_rejected",
    Error => "error",
    Manual => "manual",
});
words!(ErrorClass {
    InvalidRequest => "invalid_request",
    ContextLength => "context_length",
    Auth => "auth",
    Billing => "billing",
    Permission => "permission",
    NotFound => "not_found",
    TooLarge => "too_large",
    RateLimit => "rate_limit",
    SpendOrDailyLimit => "spend_or_daily_limit",
    Upstream => "upstream_error",
    Overloaded => "overloaded",
    Timeout => "timeout",
});
words!(MaxTokensName { MaxCompletionTokens => "max_completion_tokens", MaxTokens => "max_tokens" });
words!(OnLoss { Warn => "warn", Refuse => "refuse" });
words!(UnsupportedTools { Reject => "reject", Drop => "drop" });
words!(Thinking { Effort => "effort", Budget => "budget", Never => "never" });
words!(Effort {
    None => "none",
    Minimal => "minimal",
    Low => "low",
    Medium => "medium",
    High => "high",
    XHigh => "xhigh",
    Max => "max",
});
words!(Need {
    Images => "images",
    Files => "files",
    FileUrls => "file_urls",
    Audio => "audio",
    MediaOutput => "media_output",
    Tools => "tools",
    StructuredOutput => "structured_output",
    Choices => "choices",
    Logprobs => "logprobs",
    ServerState => "server_state",
    Embeddings => "embeddings",
    TokenArrays => "token_arrays",
    TokenCounts => "token_counts",
});
words!(HealthState {
    Unknown => "unknown",
    Healthy => "healthy",
    Unhealthy => "unhealthy",
    Failed => "failed",
});
words!(Source { Cluster => "cluster", Node => "node" });

/// Reads a word; an empty one is the default, as of senders that do not know the field.
pub(super) fn read_or_default<W: Word + Default>(field: &'static str, word: &str) -> Result<W, ConvertError> {
    if word.is_empty() { Ok(W::default()) } else { read(field, word) }
}

/// Reads a word.
pub(super) fn read<W: Word>(field: &'static str, word: &str) -> Result<W, ConvertError> {
    W::WORDS.iter().find(|(_, known)| *known == word).map(|(value, _)| *value).ok_or_else(|| {
        ConvertError::UnknownWord {
            field,
            value: word.to_owned(),
            expected: W::WORDS.iter().map(|(_, word)| *word).collect::<Vec<_>>().join(", "),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Debug;

    fn each_word_is_read_back<W: Word + PartialEq + Debug>() {
        for (value, word) in W::WORDS {
            assert_eq!(value.word(), *word);
            assert_eq!(read::<W>("field", word).unwrap(), *value);
        }
    }

    #[test]
    fn every_word_means_one_value() {
        each_word_is_read_back::<ProviderKind>();
        each_word_is_read_back::<Strategy>();
        each_word_is_read_back::<CooldownCause>();
        each_word_is_read_back::<ErrorClass>();
        each_word_is_read_back::<MaxTokensName>();
        each_word_is_read_back::<OnLoss>();
        each_word_is_read_back::<UnsupportedTools>();
        each_word_is_read_back::<Thinking>();
        each_word_is_read_back::<Effort>();
        each_word_is_read_back::<Need>();
        each_word_is_read_back::<HealthState>();
        each_word_is_read_back::<Source>();
        each_word_is_read_back::<Exclusion>();
        each_word_is_read_back::<SessionAffinity>();
        each_word_is_read_back::<QuotaUnit>();
        each_word_is_read_back::<RateKind>();
        each_word_is_read_back::<LossMode>();
        each_word_is_read_back::<SpentPolicy>();
        each_word_is_read_back::<Priority>();
    }

    #[test]
    fn the_wire_spells_as_the_configuration_does() {
        fn the_same<W: Word>(spelled: fn(W) -> &'static str) {
            for (value, word) in W::WORDS {
                assert_eq!(spelled(*value), *word);
            }
        }
        the_same(ProviderKind::as_str);
        the_same(Strategy::as_str);
        the_same(ErrorClass::as_str);
        the_same(MaxTokensName::as_str);
        the_same(OnLoss::as_str);
        the_same(UnsupportedTools::as_str);
        the_same(Thinking::as_str);
        the_same(Effort::as_str);
        the_same(Need::as_str);
        the_same(CooldownCause::as_str);
        the_same(HealthState::as_str);
        the_same(Exclusion::as_str);
        the_same(SessionAffinity::as_str);
        the_same(QuotaUnit::as_str);
        the_same(RateKind::as_str);
        the_same(LossMode::as_str);
        the_same(SpentPolicy::as_str);
        the_same(Priority::as_str);
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_known_ones() {
        let error = read::<Strategy>("Policy.strategy", "random").unwrap_err();
        assert_eq!(
            error.to_string(),
            "Policy.strategy is \"random\"; it must be one of: round_robin, quota_aware, latency, cost"
        );
    }
}
