//! What is known of providers without being told.

use cliproxy_domain::{ModelPattern, ProviderKind};

/// A provider's name that implies its kind.
pub struct WellKnown {
    /// The name.
    pub name: &'static str,
    /// The kind.
    pub kind: ProviderKind,
    /// The variables that its own SDKs read the key from.
    pub variables: &'static [&'static str],
}

/// The names of contract §1; the first of each kind is used when there is no file.
pub const WELL_KNOWN: [WellKnown; 5] = [
    WellKnown { name: "claude", kind: ProviderKind::Anthropic, variables: &["ANTHROPIC_API_KEY"] },
    WellKnown { name: "anthropic", kind: ProviderKind::Anthropic, variables: &["ANTHROPIC_API_KEY"] },
    WellKnown { name: "openai", kind: ProviderKind::OpenAi, variables: &["OPENAI_API_KEY"] },
    WellKnown {
        name: "gemini",
        kind: ProviderKind::Gemini,
        variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    },
    WellKnown {
        name: "google",
        kind: ProviderKind::Gemini,
        variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    },
];

/// The names of providers that are set up from the environment alone.
pub const FROM_ENVIRONMENT: [&str; 3] = ["claude", "openai", "gemini"];

/// The kinds as the file spells them.
pub const KINDS: [(&str, ProviderKind); 4] = [
    ("anthropic", ProviderKind::Anthropic),
    ("openai", ProviderKind::OpenAi),
    ("gemini", ProviderKind::Gemini),
    ("openai_compatible", ProviderKind::OpenAiCompatible),
];

/// Gives where a kind of provider is, as its own SDKs have it.
pub fn default_base_url(kind: ProviderKind) -> Option<&'static str> {
    match kind {
        ProviderKind::Anthropic => Some("https://api.anthropic.com"),
        ProviderKind::OpenAi => Some("https://api.openai.com"),
        ProviderKind::Gemini => Some("https://generativelanguage.googleapis.com"),
        ProviderKind::OpenAiCompatible => None,
    }
}

/// Gives the models of a kind of provider. A compatible server may serve anything, so it claims nothing: it is
/// reached by an alias, as `provider/model`, or by the patterns that the file gives.
pub fn default_models(kind: ProviderKind) -> Vec<ModelPattern> {
    let patterns: &[&str] = match kind {
        ProviderKind::Anthropic => &["claude-*"],
        ProviderKind::OpenAi => &["gpt-*", "o[0-9]*", "chatgpt-*", "text-embedding-*"],
        ProviderKind::Gemini => &["gemini-*", "gemma-*", "embedding-*"],
        ProviderKind::OpenAiCompatible => &[],
    };
    patterns.iter().copied().map(ModelPattern::new).collect()
}
