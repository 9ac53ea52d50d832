//! What a request can need of a target, and what a model is known to take.

use crate::api::{Dialect, ProviderKind};
use std::fmt;

/// One thing that a request needs and that not every target has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Need {
    /// Images in the prompt.
    Images,
    /// Files in the prompt, as PDF.
    Files,
    /// A file in the prompt by a public URL.
    FileUrls,
    /// Sound in the prompt.
    Audio,
    /// Sound or images in the answer.
    MediaOutput,
    /// Functions that the model may call.
    Tools,
    /// An answer that follows a JSON schema.
    StructuredOutput,
    /// More than one answer (`n`, `candidateCount`).
    Choices,
    /// Log probabilities of tokens.
    Logprobs,
    /// State that a provider keeps for the client: earlier responses, conversations, uploaded files, caches.
    ServerState,
    /// Embeddings.
    Embeddings,
    /// Embeddings of texts that are given as numbers of tokens.
    TokenArrays,
    /// Counting the tokens of a prompt.
    TokenCounts,
}

impl Need {
    /// All needs, in the order of the configuration reference.
    pub const ALL: [Need; 13] = [
        Need::Images,
        Need::Files,
        Need::FileUrls,
        Need::Audio,
        Need::MediaOutput,
        Need::Tools,
        Need::StructuredOutput,
        Need::Choices,
        Need::Logprobs,
        Need::ServerState,
        Need::Embeddings,
        Need::TokenArrays,
        Need::TokenCounts,
    ];

    /// Names the need as the configuration and `explain` spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Need::Images => "images",
            Need::Files => "files",
            Need::FileUrls => "file_urls",
            Need::Audio => "audio",
            Need::MediaOutput => "media_output",
            Need::Tools => "tools",
            Need::StructuredOutput => "structured_output",
            Need::Choices => "choices",
            Need::Logprobs => "logprobs",
            Need::ServerState => "server_state",
            Need::Embeddings => "embeddings",
            Need::TokenArrays => "token_arrays",
            Need::TokenCounts => "token_counts",
        }
    }

    /// Finds a need by its name.
    pub fn parse(name: &str) -> Option<Need> {
        Need::ALL.into_iter().find(|need| need.as_str() == name)
    }
}

/// A set of needs.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Needs(u16);

impl Needs {
    /// The set of none.
    pub const NONE: Needs = Needs(0);

    /// Makes a set.
    pub const fn of(needs: &[Need]) -> Needs {
        let mut bits = 0;
        let mut at = 0;
        while at < needs.len() {
            bits |= 1 << needs[at] as u16;
            at += 1;
        }
        Needs(bits)
    }

    /// Adds one.
    pub fn add(&mut self, need: Need) {
        self.0 |= 1 << need as u16;
    }

    /// Removes one.
    pub fn remove(&mut self, need: Need) {
        self.0 &= !(1 << need as u16);
    }

    /// Tells whether `need` is in the set.
    pub fn has(self, need: Need) -> bool {
        self.0 & (1 << need as u16) != 0
    }

    /// Gives those that both sets have.
    pub fn and(self, other: Needs) -> Needs {
        Needs(self.0 & other.0)
    }

    /// Gives those that either set has.
    pub fn or(self, other: Needs) -> Needs {
        Needs(self.0 | other.0)
    }

    /// Tells whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Lists the needs in their fixed order.
    pub fn iter(self) -> impl Iterator<Item = Need> {
        Need::ALL.into_iter().filter(move |need| self.has(*need))
    }
}

impl fmt::Debug for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Need::as_str)).finish()
    }
}

impl FromIterator<Need> for Needs {
    fn from_iter<I: IntoIterator<Item = Need>>(needs: I) -> Self {
        let mut set = Needs::NONE;
        needs.into_iter().for_each(|need| set.add(need));
        set
    }
}

impl Dialect {
    /// Gives what no model can be asked for in this dialect (§11 of the wire formats: what is refused).
    pub fn lacks(self) -> Needs {
        match self {
            Dialect::OpenAiChat => Needs::of(&[Need::FileUrls, Need::TokenCounts]),
            Dialect::OpenAiResponses => {
                Needs::of(&[Need::Audio, Need::Choices, Need::Embeddings, Need::TokenArrays])
            }
            Dialect::Anthropic => Needs::of(&[
                Need::Audio,
                Need::MediaOutput,
                Need::Choices,
                Need::Logprobs,
                Need::Embeddings,
                Need::TokenArrays,
            ]),
            Dialect::Gemini => Needs::of(&[Need::TokenArrays]),
        }
    }
}

impl ProviderKind {
    /// Gives the dialects that a provider of this kind speaks, the one for new features first.
    pub fn dialects(self) -> &'static [Dialect] {
        match self {
            ProviderKind::Anthropic => &[Dialect::Anthropic],
            ProviderKind::OpenAi => &[Dialect::OpenAiResponses, Dialect::OpenAiChat],
            ProviderKind::Gemini => &[Dialect::Gemini],
            ProviderKind::OpenAiCompatible => &[Dialect::OpenAiChat],
        }
    }
}

/// How much a model should think before it answers: the one scale that all dialects' efforts, budgets and levels
/// are read into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as it can.
    Minimal,
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// More than `High`.
    XHigh,
    /// As much as it can.
    Max,
}

impl Effort {
    /// All efforts, from the least to the most.
    pub const ALL: [Effort; 7] = [
        Effort::None,
        Effort::Minimal,
        Effort::Low,
        Effort::Medium,
        Effort::High,
        Effort::XHigh,
        Effort::Max,
    ];

    /// Names the effort as OpenAI and the configuration spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Effort::None => "none",
            Effort::Minimal => "minimal",
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::XHigh => "xhigh",
            Effort::Max => "max",
        }
    }

    /// Finds an effort by its name.
    pub fn parse(name: &str) -> Option<Effort> {
        Effort::ALL.into_iter().find(|effort| effort.as_str() == name)
    }
}

/// How a model is told to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Thinking {
    /// By an effort or a level: Anthropic's `adaptive`, Gemini's `thinkingLevel`.
    #[default]
    Effort,
    /// By a number of tokens: Anthropic's `enabled`, Gemini's `thinkingBudget`.
    Budget,
    /// It cannot.
    Never,
}

impl Thinking {
    /// All ways.
    pub const ALL: [Thinking; 3] = [Thinking::Effort, Thinking::Budget, Thinking::Never];

    /// Names the way as the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Thinking::Effort => "effort",
            Thinking::Budget => "budget",
            Thinking::Never => "never",
        }
    }
}

/// What a model is known to take, for requests that are written for it by translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelTraits {
    /// Tokens of one answer at most.
    pub max_output: Option<u64>,
    /// What it cannot do.
    pub lacks: Needs,
    /// How it is told to think.
    pub thinking: Thinking,
    /// The efforts it takes; empty when all are taken. Others become the nearest of these.
    pub efforts: Vec<Effort>,
    /// Whether thinking can be switched off.
    pub thinking_optional: bool,
    /// Whether it takes `temperature`, `top_p` and `top_k`.
    pub sampling: bool,
    /// Whether it takes a `system` message in mid-conversation (Anthropic).
    pub system_anywhere: bool,
    /// Whether a last assistant message is continued (Anthropic).
    pub prefill: bool,
    /// Whether a tool choice can be forced while it thinks.
    pub forced_tools_while_thinking: bool,
    /// Whether functions with an effort need the Responses API (OpenAI).
    pub tools_need_responses: bool,
}

impl Default for ModelTraits {
    /// Of a model that nobody described: everything is taken.
    fn default() -> Self {
        Self {
            max_output: None,
            lacks: Needs::NONE,
            thinking: Thinking::Effort,
            efforts: Vec::new(),
            thinking_optional: true,
            sampling: true,
            system_anywhere: false,
            prefill: true,
            forced_tools_while_thinking: false,
            tools_need_responses: false,
        }
    }
}

/// What is said of some models; what it leaves out, the next entry or the default says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraitsEntry {
    /// Which models; those that any of the patterns matches.
    pub models: Vec<crate::pattern::ModelPattern>,
    /// See [`ModelTraits::max_output`].
    pub max_output: Option<u64>,
    /// Said to be there, or said not to be.
    pub abilities: Vec<(Need, bool)>,
    /// See [`ModelTraits::thinking`].
    pub thinking: Option<Thinking>,
    /// See [`ModelTraits::efforts`].
    pub efforts: Option<Vec<Effort>>,
    /// See [`ModelTraits::thinking_optional`].
    pub thinking_optional: Option<bool>,
    /// See [`ModelTraits::sampling`].
    pub sampling: Option<bool>,
    /// See [`ModelTraits::system_anywhere`].
    pub system_anywhere: Option<bool>,
    /// See [`ModelTraits::prefill`].
    pub prefill: Option<bool>,
    /// See [`ModelTraits::forced_tools_while_thinking`].
    pub forced_tools_while_thinking: Option<bool>,
    /// See [`ModelTraits::tools_need_responses`].
    pub tools_need_responses: Option<bool>,
}

impl ModelTraits {
    /// Reads what `entries` say of `model`: for each trait the first entry that matches and names it.
    pub fn of(model: &str, entries: &[TraitsEntry]) -> ModelTraits {
        let mut traits = ModelTraits::default();
        // Backwards, so that the first has the last word.
        for entry in entries.iter().rev() {
            if entry.models.iter().any(|pattern| pattern.matches(model)) {
                traits.apply(entry);
            }
        }
        traits
    }

    fn apply(&mut self, entry: &TraitsEntry) {
        self.max_output = entry.max_output.or(self.max_output);
        for (need, able) in &entry.abilities {
            if *able {
                self.lacks.remove(*need);
            } else {
                self.lacks.add(*need);
            }
        }
        self.thinking = entry.thinking.unwrap_or(self.thinking);
        if let Some(efforts) = &entry.efforts {
            self.efforts.clone_from(efforts);
        }
        self.thinking_optional = entry.thinking_optional.unwrap_or(self.thinking_optional);
        self.sampling = entry.sampling.unwrap_or(self.sampling);
        self.system_anywhere = entry.system_anywhere.unwrap_or(self.system_anywhere);
        self.prefill = entry.prefill.unwrap_or(self.prefill);
        self.forced_tools_while_thinking =
            entry.forced_tools_while_thinking.unwrap_or(self.forced_tools_while_thinking);
        self.tools_need_responses = entry.tools_need_responses.unwrap_or(self.tools_need_responses);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::ModelPattern;

    fn entry(pattern: &str) -> TraitsEntry {
        TraitsEntry { models: vec![ModelPattern::new(pattern)], ..TraitsEntry::default() }
    }

    #[test]
    fn the_first_entry_that_names_a_trait_has_the_word() {
        let first = TraitsEntry { max_output: Some(1), ..entry("claude-*") };
        let second =
            TraitsEntry { max_output: Some(2), sampling: Some(false), prefill: Some(false), ..entry("*") };
        let traits = ModelTraits::of("claude-x", &[first, second]);
        assert_eq!((traits.max_output, traits.sampling, traits.prefill), (Some(1), false, false));
    }

    #[test]
    fn an_entry_for_other_models_says_nothing() {
        let other = TraitsEntry { sampling: Some(false), ..entry("gpt-*") };
        assert_eq!(ModelTraits::of("claude-x", &[other]), ModelTraits::default());
    }

    #[test]
    fn an_earlier_entry_gives_back_what_a_later_one_denies() {
        let gives = TraitsEntry { abilities: vec![(Need::Images, true)], ..entry("m-vision") };
        let denies =
            TraitsEntry { abilities: vec![(Need::Images, false), (Need::Audio, false)], ..entry("m-*") };
        let traits = ModelTraits::of("m-vision", &[gives, denies]);
        assert!(!traits.lacks.has(Need::Images) && traits.lacks.has(Need::Audio));
    }

    #[test]
    fn every_need_and_effort_is_found_by_its_name() {
        assert!(Need::ALL.into_iter().all(|need| Need::parse(need.as_str()) == Some(need)));
        assert!(Effort::ALL.into_iter().all(|effort| Effort::parse(effort.as_str()) == Some(effort)));
        assert_eq!(Needs::of(&Need::ALL).iter().count(), Need::ALL.len());
    }
}
