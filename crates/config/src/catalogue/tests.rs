use super::*;
use cliproxy_domain::{Effort, ModelTraits, Thinking};

fn traits(kind: ProviderKind, model: &str) -> ModelTraits {
    ModelTraits::of(model, &entries(kind, None))
}

fn claude(model: &str) -> ModelTraits {
    traits(ProviderKind::Anthropic, model)
}

fn openai(model: &str) -> ModelTraits {
    traits(ProviderKind::OpenAi, model)
}

fn gemini(model: &str) -> ModelTraits {
    traits(ProviderKind::Gemini, model)
}

#[test]
fn claude_thinks_by_a_budget_up_to_4_5_and_by_an_effort_from_4_6_on() {
    let cases = [
        ("claude-3-5-haiku-20241022", Thinking::Never),
        ("claude-3-7-sonnet-20250219", Thinking::Budget),
        ("claude-opus-4-20250514", Thinking::Budget),
        ("claude-opus-4-1-20250805", Thinking::Budget),
        ("claude-sonnet-4-0", Thinking::Budget),
        ("claude-sonnet-4-5-20250929", Thinking::Budget),
        ("claude-haiku-4-5", Thinking::Budget),
        ("claude-sonnet-4-6", Thinking::Effort),
        ("claude-opus-4-8-20260528", Thinking::Effort),
        ("claude-opus-5", Thinking::Effort),
        ("claude-haiku-5-5", Thinking::Effort),
        ("claude-fable-5-1", Thinking::Effort),
        ("claude-something-9", Thinking::Effort),
    ];
    for (model, thinking) in cases {
        assert_eq!(claude(model).thinking, thinking, "{model}");
    }
}

#[test]
fn claude_drops_prefill_at_4_6_sampling_at_4_7_and_takes_system_messages_anywhere_from_4_8_on() {
    let told = |model: &str| {
        let traits = claude(model);
        (traits.prefill, traits.sampling, traits.system_anywhere)
    };
    for model in ["claude-3-5-haiku-20241022", "claude-opus-4-1", "claude-sonnet-4-5-20250929"] {
        assert_eq!(told(model), (true, true, false), "{model}");
    }
    assert_eq!(told("claude-opus-4-6"), (false, true, false));
    assert_eq!(told("claude-opus-4-7"), (false, false, false));
    for model in ["claude-opus-4-8", "claude-sonnet-5", "claude-opus-5-5", "claude-fable-5"] {
        assert_eq!(told(model), (false, false, true), "{model}");
    }
}

#[test]
fn claude_models_that_always_think_say_so() {
    for model in ["claude-opus-5-5", "claude-fable-5-1", "claude-mythos-5", "claude-sonnet-5-5"] {
        assert!(!claude(model).thinking_optional, "{model}");
    }
    for model in ["claude-opus-4-5", "claude-opus-4-7", "claude-opus-5", "claude-haiku-5-5"] {
        assert!(claude(model).thinking_optional, "{model}");
    }
}

#[test]
fn claude_opus_4_6_has_no_effort_between_high_and_max() {
    assert!(!claude("claude-opus-4-6").efforts.contains(&Effort::XHigh));
    assert!(claude("claude-opus-4-7").efforts.is_empty(), "all are taken");
}

#[test]
fn claude_answers_are_as_long_as_their_generation_allows() {
    let cases = [
        ("claude-3-haiku-20240307", 4_096),
        ("claude-3-5-sonnet-20241022", 8_192),
        ("claude-opus-4-20250514", 32_000),
        ("claude-opus-4-1-20250805", 32_000),
        ("claude-sonnet-4-20250514", 64_000),
        ("claude-opus-4-5-20251101", 64_000),
        ("claude-opus-4-6", 128_000),
        ("claude-opus-5-5", 128_000),
    ];
    for (model, tokens) in cases {
        assert_eq!(claude(model).max_output, Some(tokens), "{model}");
    }
}

#[test]
fn claude_knows_schemas_from_4_5_on() {
    let lacks = |model: &str| claude(model).lacks.has(Need::StructuredOutput);
    assert!(
        lacks("claude-3-7-sonnet-latest") && lacks("claude-sonnet-4-20250514") && lacks("claude-opus-4-1")
    );
    assert!(!lacks("claude-sonnet-4-5-20250929") && !lacks("claude-haiku-4-5") && !lacks("claude-opus-5"));
}

#[test]
fn only_the_o_series_and_the_first_gpt_5_refuse_sampling_at_any_effort() {
    for model in ["o1", "o3-mini", "o3-2025-04-16", "o4-mini", "gpt-5", "gpt-5-mini-2025-08-07", "gpt-5-pro"]
    {
        assert!(!openai(model).sampling, "{model}");
    }
    for model in ["gpt-4o", "gpt-4.1-mini", "gpt-5-chat-latest", "gpt-5.1", "gpt-5.4", "o9"] {
        assert!(openai(model).sampling, "{model}");
    }
}

#[test]
fn openai_models_take_the_efforts_of_their_generation() {
    use Effort::{High, Low, Medium, Minimal, None, XHigh};
    let cases: [(&str, &[Effort]); 9] = [
        ("o3", &[Low, Medium, High]),
        ("gpt-5", &[Minimal, Low, Medium, High]),
        ("gpt-5-pro-2025-10-06", &[High]),
        ("gpt-5-codex", &[Low, Medium, High]),
        ("gpt-5.1", &[None, Low, Medium, High]),
        ("gpt-5.1-codex-max", &[Low, Medium, High, XHigh]),
        ("gpt-5.1-codex-mini", &[Low, Medium, High]),
        ("gpt-5.4", &[None, Low, Medium, High, XHigh]),
        ("gpt-5.6-luna", &[]),
    ];
    for (model, efforts) in cases {
        assert_eq!(openai(model).efforts, efforts, "{model}");
        let optional = efforts.is_empty() || efforts.contains(&None);
        assert_eq!(openai(model).thinking_optional, optional, "{model}");
    }
    assert_eq!(openai("gpt-4o").thinking, Thinking::Never);
}

#[test]
fn tools_need_responses_from_gpt_5_4_on() {
    for model in ["gpt-5.4", "gpt-5.4-mini", "gpt-5.6-luna", "gpt-6"] {
        assert!(openai(model).tools_need_responses, "{model}");
    }
    for model in ["gpt-5", "gpt-5.1", "gpt-5.3-codex", "o3", "gpt-4o"] {
        assert!(!openai(model).tools_need_responses, "{model}");
    }
}

#[test]
fn gemini_has_budgets_in_2_5_and_levels_from_3_on() {
    let cases = [
        ("gemini-2.0-flash", Thinking::Never, true),
        ("gemini-2.5-pro", Thinking::Budget, false),
        ("gemini-2.5-flash", Thinking::Budget, true),
        ("gemini-2.5-flash-image", Thinking::Never, true),
        ("gemini-3-pro-preview", Thinking::Effort, false),
        ("gemini-3.8-flash", Thinking::Effort, false),
    ];
    for (model, thinking, optional) in cases {
        let traits = gemini(model);
        assert_eq!((traits.thinking, traits.thinking_optional), (thinking, optional), "{model}");
    }
    assert_eq!(gemini("gemini-3-pro-preview").efforts, [Effort::Low, Effort::High]);
    assert!(gemini("gemini-2.0-flash").lacks.has(Need::FileUrls));
}

#[test]
fn a_compatible_server_is_known_by_its_profile_alone() {
    let kind = ProviderKind::OpenAiCompatible;
    assert!(entries(kind, None).is_empty() && entries(kind, Some(BuiltIn::Vllm)).is_empty());
    let groq = ModelTraits::of("llama-3.3-70b-versatile", &entries(kind, Some(BuiltIn::Groq)));
    assert!(groq.lacks.has(Need::Choices) && groq.lacks.has(Need::Logprobs) && !groq.lacks.has(Need::Tools));
    assert!(!ModelTraits::of("o3", &entries(kind, Some(BuiltIn::AzureOpenAi))).sampling);
}

#[test]
fn nothing_is_said_of_models_that_nobody_documented() {
    let told = TraitsEntry { forced_tools_while_thinking: Some(true), ..TraitsEntry::default() };
    for (kind, model) in [(ProviderKind::OpenAi, "my-model"), (ProviderKind::Gemini, "gemma-4")] {
        let entries: Vec<TraitsEntry> = entries(kind, None)
            .into_iter()
            .filter(|entry| entry.models.iter().any(|pattern| pattern.matches(model)))
            .map(|entry| TraitsEntry { models: Vec::new(), ..entry })
            .collect();
        assert_eq!(entries, std::slice::from_ref(&told), "{model}");
    }
}
