//! In which dialect a target is spoken to, and whether it can do what a request needs.

use cliproxy_domain::{Dialect, ModelTraits, Need, Needs, Operation, ProviderKind};

/// What a request needs, for each dialect that it may be written in: state of the client's own provider is a need in
/// all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    needs: [Needs; 4],
    /// It wants reasoning, or has reasoning to give back, which OpenAI keeps over turns in Responses alone.
    pub reasons: bool,
    /// It has tools.
    pub calls: bool,
    /// It has what only Chat Completions knows and Responses drops: stop texts, a seed, penalties.
    pub chat_only: bool,
}

impl Asks {
    /// Gathers what is needed in each dialect.
    pub fn new(needs: impl Fn(Dialect) -> Needs) -> Self {
        Self { needs: DIALECTS.map(needs), ..Self::default() }
    }

    /// Gives what is needed in `dialect`.
    pub fn needs(&self, dialect: Dialect) -> Needs {
        DIALECTS.iter().zip(self.needs).find(|(known, _)| **known == dialect).map_or(Needs::NONE, |(_, n)| n)
    }
}

const DIALECTS: [Dialect; 4] =
    [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini];

/// Tells whether providers of `kind` have `operation` at all.
pub fn has_operation(kind: ProviderKind, operation: Operation) -> bool {
    !dialects(kind, operation).is_empty()
}

/// Gives the dialects in which a provider of `kind` takes `operation`.
fn dialects(kind: ProviderKind, operation: Operation) -> &'static [Dialect] {
    match (operation, kind) {
        (Operation::Generate, kind) => kind.dialects(),
        (Operation::Embed, ProviderKind::OpenAi | ProviderKind::OpenAiCompatible) => &[Dialect::OpenAiChat],
        (Operation::Embed, ProviderKind::Gemini) => &[Dialect::Gemini],
        (Operation::Embed, ProviderKind::Anthropic) => &[],
        (Operation::CountTokens, ProviderKind::OpenAi) => &[Dialect::OpenAiResponses],
        (Operation::CountTokens, ProviderKind::Anthropic) => &[Dialect::Anthropic],
        (Operation::CountTokens, ProviderKind::Gemini) => &[Dialect::Gemini],
        (Operation::CountTokens, ProviderKind::OpenAiCompatible) => &[],
    }
}

/// Decides in which dialect a target is spoken to: the client's own where the provider has it, else the one that
/// loses least.
///
/// OpenAI has two. A translated request goes to Responses when it reasons or calls tools, as only there reasoning
/// survives a loop of calls; to Chat Completions when it has what Responses drops and does not reason.
///
/// # Errors
/// The first need that the target lacks.
pub fn speech(
    kind: ProviderKind,
    client: Dialect,
    operation: Operation,
    asks: &Asks,
    traits: &ModelTraits,
) -> Result<Dialect, Need> {
    let known = dialects(kind, operation);
    let mut order = [None; 2];
    let needs_responses = traits.tools_need_responses && asks.reasons && asks.calls;
    if known.contains(&client) && !(client == Dialect::OpenAiChat && needs_responses) {
        order[0] = Some(client);
    } else if let [one] = known {
        order[0] = Some(*one);
    } else if let [responses, chat] = known {
        let chat_first = !needs_responses && !asks.reasons && (asks.chat_only || !asks.calls);
        order = if chat_first { [Some(*chat), Some(*responses)] } else { [Some(*responses), Some(*chat)] };
    }
    let mut lacking = match operation {
        Operation::Generate => None,
        Operation::CountTokens => Some(Need::TokenCounts),
        Operation::Embed => Some(Need::Embeddings),
    };
    for dialect in order.into_iter().flatten() {
        match lacks(dialect, client, asks, traits) {
            None => return Ok(dialect),
            Some(need) => lacking = Some(need),
        }
    }
    // Every kind has a dialect to generate in, so that something is lacking here.
    Err(lacking.unwrap_or(Need::ServerState))
}

fn lacks(dialect: Dialect, client: Dialect, asks: &Asks, traits: &ModelTraits) -> Option<Need> {
    let mut lacks = traits.lacks;
    if dialect != client {
        // A field of its own that a dialect has and the form has not passes only as it came.
        lacks = lacks.or(dialect.lacks()).or(Needs::of(&[Need::MediaOutput]));
        // Where a schema cannot be asked for, it is emulated by a forced call.
        if matches!(dialect, Dialect::Anthropic | Dialect::Gemini) && !traits.lacks.has(Need::Tools) {
            lacks.remove(Need::StructuredOutput);
        }
    }
    asks.needs(dialect).and(lacks).iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dialect::{Anthropic, Gemini, OpenAiChat, OpenAiResponses};

    fn asks(needs: &[Need]) -> Asks {
        let needs = Needs::of(needs);
        Asks::new(|_| needs)
    }

    fn spoken(kind: ProviderKind, client: Dialect, asks: &Asks) -> Result<Dialect, Need> {
        speech(kind, client, Operation::Generate, asks, &ModelTraits::default())
    }

    #[test]
    fn a_provider_of_the_clients_own_dialect_hears_that() {
        let asks = asks(&Need::ALL);
        assert_eq!(spoken(ProviderKind::Anthropic, Anthropic, &asks), Ok(Anthropic));
        assert_eq!(spoken(ProviderKind::OpenAi, OpenAiChat, &asks), Ok(OpenAiChat));
        assert_eq!(spoken(ProviderKind::OpenAi, OpenAiResponses, &asks), Ok(OpenAiResponses));
    }

    #[test]
    fn openai_hears_of_foreign_reasoning_and_tools_by_responses_and_of_stop_texts_by_chat() {
        let plain = Asks::default();
        assert_eq!(spoken(ProviderKind::OpenAi, Anthropic, &plain), Ok(OpenAiChat));
        let calls = Asks { calls: true, ..plain };
        assert_eq!(spoken(ProviderKind::OpenAi, Anthropic, &calls), Ok(OpenAiResponses));
        let calls_and_stops = Asks { chat_only: true, ..calls };
        assert_eq!(spoken(ProviderKind::OpenAi, Anthropic, &calls_and_stops), Ok(OpenAiChat));
        let all = Asks { reasons: true, ..calls_and_stops };
        assert_eq!(spoken(ProviderKind::OpenAi, Anthropic, &all), Ok(OpenAiResponses));
    }

    #[test]
    fn the_other_dialect_of_openai_is_used_when_the_first_lacks_something() {
        let urls = Asks { chat_only: true, ..asks(&[Need::Files, Need::FileUrls]) };
        assert_eq!(spoken(ProviderKind::OpenAi, Anthropic, &urls), Ok(OpenAiResponses));
        let choices = Asks { reasons: true, ..asks(&[Need::Choices]) };
        assert_eq!(spoken(ProviderKind::OpenAi, Gemini, &choices), Ok(OpenAiChat));
        let both = asks(&[Need::Choices, Need::FileUrls]);
        assert!(spoken(ProviderKind::OpenAi, Gemini, &both).is_err());
    }

    #[test]
    fn a_model_that_takes_reasoned_calls_by_responses_alone_gets_them_there() {
        let traits = ModelTraits { tools_need_responses: true, ..ModelTraits::default() };
        let asks = Asks { reasons: true, calls: true, ..Asks::default() };
        let spoken = speech(ProviderKind::OpenAi, OpenAiChat, Operation::Generate, &asks, &traits);
        assert_eq!(spoken, Ok(OpenAiResponses));
        let spoken = speech(ProviderKind::OpenAiCompatible, OpenAiChat, Operation::Generate, &asks, &traits);
        assert!(spoken.is_ok(), "a server with one dialect has no choice");
    }

    #[test]
    fn what_a_target_lacks_is_named() {
        let cases = [
            (ProviderKind::Anthropic, OpenAiChat, Need::Choices),
            (ProviderKind::Anthropic, OpenAiChat, Need::Audio),
            (ProviderKind::Anthropic, Gemini, Need::Logprobs),
            (ProviderKind::OpenAiCompatible, Anthropic, Need::FileUrls),
            (ProviderKind::Gemini, OpenAiChat, Need::MediaOutput),
        ];
        for (kind, client, need) in cases {
            assert_eq!(spoken(kind, client, &asks(&[need])), Err(need), "{kind:?}");
        }
    }

    #[test]
    fn what_is_said_of_a_model_holds_in_its_own_dialect_too() {
        let traits = ModelTraits { lacks: Needs::of(&[Need::Images]), ..ModelTraits::default() };
        let asks = asks(&[Need::Images]);
        let kind = ProviderKind::OpenAiCompatible;
        assert_eq!(speech(kind, OpenAiChat, Operation::Generate, &asks, &traits), Err(Need::Images));
    }

    #[test]
    fn not_every_provider_counts_or_embeds() {
        assert!(!has_operation(ProviderKind::Anthropic, Operation::Embed));
        assert!(!has_operation(ProviderKind::OpenAiCompatible, Operation::CountTokens));
        let counted = speech(
            ProviderKind::OpenAi,
            Anthropic,
            Operation::CountTokens,
            &Asks::default(),
            &ModelTraits::default(),
        );
        assert_eq!(counted, Ok(OpenAiResponses));
    }
}
