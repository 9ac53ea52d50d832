//! The words that stand for enum values on the wire, the same as in the configuration and in JSON.

use super::ConvertError;
use cliproxy_domain::{
    CooldownCause, ProviderKind, Strategy,
    status::{HealthState, Source},
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
words!(Strategy { RoundRobin => "round_robin" });
words!(CooldownCause {
    RateLimit => "rate_limit",
    QuotaExhausted => "quota_exhausted",
    CredentialRejected => "credential_rejected",
});
words!(HealthState { Unknown => "unknown", Healthy => "healthy", Unhealthy => "unhealthy" });
words!(Source { Cluster => "cluster", Node => "node" });

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
        each_word_is_read_back::<HealthState>();
        each_word_is_read_back::<Source>();
    }

    #[test]
    fn the_wire_spells_kinds_and_strategies_as_the_configuration_does() {
        for (kind, word) in ProviderKind::WORDS {
            assert_eq!(kind.as_str(), *word);
        }
        for (strategy, word) in Strategy::WORDS {
            assert_eq!(strategy.as_str(), *word);
        }
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_known_ones() {
        let error = read::<Strategy>("Policy.strategy", "random").unwrap_err();
        assert_eq!(error.to_string(), "Policy.strategy is \"random\"; it must be one of: round_robin");
    }
}
