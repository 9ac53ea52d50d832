//! What is known of models without being told: facts of their vendors' documentation, by patterns over names.
//!
//! In each list the first entry that matches a model and names a trait has the word, so that the particular stands
//! before the general. A list ends in what the vendor says of its newest models "and later". What nobody documents
//! is left out: a model of which nothing is said is taken to do everything, and `model_traits` of the configuration
//! stands before all of this.
//!
//! What a model cannot do is said sparingly. It keeps requests from that model, and makes every request to it be
//! read for what it needs; a model that all others of its family are like is not worth that.

mod anthropic;
mod gemini;
mod openai;
mod prices;

pub use prices::prices;

use crate::section::profiles::built_in::BuiltIn;
use cliproxy_domain::{ModelPattern, Need, ProviderKind, TraitsEntry};

/// Gives what is known of the models of a kind of provider; `profile` is the built-in one that a compatible
/// provider's profile goes back to.
pub fn entries(kind: ProviderKind, profile: Option<BuiltIn>) -> Vec<TraitsEntry> {
    match kind {
        ProviderKind::Anthropic => anthropic::entries(),
        ProviderKind::OpenAi => openai::entries(),
        ProviderKind::Gemini => gemini::entries(),
        ProviderKind::OpenAiCompatible => match profile {
            // OpenAI's own models; they are known as far as deployments are named after them.
            Some(BuiltIn::AzureOpenAi) => openai::entries(),
            Some(BuiltIn::Groq) => groq(),
            _ => Vec::new(),
        },
    }
}

/// Groq's page on compatibility: `n` must be 1, and `logprobs`, `logit_bias` and `top_logprobs` are refused.
fn groq() -> Vec<TraitsEntry> {
    vec![TraitsEntry { abilities: vec![(Need::Choices, false), (Need::Logprobs, false)], ..of(&["*"]) }]
}

/// Starts an entry for the models that any of `patterns` matches.
fn of(patterns: &[&str]) -> TraitsEntry {
    TraitsEntry {
        models: patterns.iter().copied().map(ModelPattern::new).collect(),
        ..TraitsEntry::default()
    }
}

#[cfg(test)]
mod tests;
