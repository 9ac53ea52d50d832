//! How much to think (§9.2).

use super::*;
use cliproxy_domain::{Effort, Thinking};

fn by(thinking: Thinking) -> ModelTraits {
    ModelTraits { thinking, ..ModelTraits::default() }
}

fn knowing(efforts: &[Effort]) -> ModelTraits {
    ModelTraits { efforts: efforts.to_vec(), ..ModelTraits::default() }
}

fn effort(word: &str) -> Ask {
    ask(Chat, json!({"reasoning_effort": word, "max_completion_tokens": 100_000}))
}

#[test]
fn an_effort_is_the_same_on_models_that_know_all() {
    for (word, adaptive, level) in [
        ("minimal", "low", "MINIMAL"),
        ("low", "low", "LOW"),
        ("medium", "medium", "MEDIUM"),
        ("high", "high", "HIGH"),
        ("xhigh", "xhigh", "XHIGH"),
    ] {
        effort(word).becomes([
            has("/reasoning_effort", word),
            has("/reasoning/effort", word),
            has("/thinking/type", "adaptive").and("/output_config/effort", adaptive),
            has("/generationConfig/thinkingConfig/thinkingLevel", level),
        ]);
    }
    effort("none").to(Anthropic, has("/thinking", json!({"type": "disabled"})));
    effort("max").to(Anthropic, has("/output_config/effort", "max"));
}

#[test]
fn an_effort_is_a_budget_on_models_that_take_those() {
    for (word, budget) in [("low", 2_048), ("medium", 8_192), ("high", 16_384), ("xhigh", 32_768)] {
        let budgeted = || effort(word).of(by(Thinking::Budget));
        budgeted().to(Anthropic, has("/thinking", json!({"type": "enabled", "budget_tokens": budget})));
        budgeted().to(Gemini, has("/generationConfig/thinkingConfig/thinkingBudget", budget));
    }
    let none = || effort("none").of(by(Thinking::Budget));
    none().to(Anthropic, has("/thinking/type", "disabled"));
    none().to(Gemini, has("/generationConfig/thinkingConfig/thinkingBudget", 0));
}

#[test]
fn a_budget_is_kept_where_budgets_are_taken() {
    let asked = || {
        let thinking = json!({"type": "enabled", "budget_tokens": 5_000});
        ask(Anthropic, json!({"max_tokens": 9_000, "thinking": thinking})).of(by(Thinking::Budget))
    };
    asked().to(Gemini, has("/generationConfig/thinkingConfig/thinkingBudget", 5_000));
    asked().to(Chat, has("/reasoning_effort", "medium"));
    let asked = json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": 3_000}}});
    ask(Gemini, asked).of(by(Thinking::Budget)).to(Anthropic, has("/thinking/budget_tokens", 3_000));
}

#[test]
fn what_is_not_said_of_thinking_is_never_invented() {
    ask(Chat, json!({})).becomes([
        without("/reasoning_effort"),
        without("/reasoning"),
        without("/thinking").and("/output_config", Value::Null),
        without("/generationConfig"),
    ]);
    let decides = json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}});
    ask(Gemini, decides).becomes([
        without("/reasoning_effort"),
        without("/reasoning"),
        without("/thinking"),
        own(),
    ]);
    ask(Anthropic, json!({"thinking": {"type": "adaptive"}})).to(Chat, has("/reasoning_effort", "high"));
}

#[test]
fn an_effort_is_dropped_by_models_that_cannot_think() {
    let dropped = || warns("reasoning_effort=dropped");
    for to in COLUMNS {
        effort("high").of(by(Thinking::Never)).to(to, dropped());
    }
    for to in [Chat, Responses, Anthropic, Gemini] {
        effort("none").of(by(Thinking::Never)).to(to, own());
    }
}

#[test]
fn an_effort_that_a_model_lacks_becomes_the_nearest() {
    let known = || knowing(&[Effort::Low, Effort::High]);
    let lowered = || warns("reasoning_effort=lowered");
    for to in COLUMNS.into_iter().filter(|to| *to != Responses) {
        let place = match to {
            Chat => ("/reasoning_effort", "high"),
            Anthropic => ("/output_config/effort", "high"),
            _ => ("/generationConfig/thinkingConfig/thinkingLevel", "HIGH"),
        };
        effort("max").of(known()).to(to, lowered().and(place.0, place.1));
        effort("minimal").of(knowing(&[Effort::High])).to(to, warns("reasoning_effort=raised"));
    }
    effort("max").of(known()).to(Responses, lowered().and("/reasoning/effort", "high"));
    effort("max").to(Gemini, has("/generationConfig/thinkingConfig/thinkingLevel", "XHIGH"));
    effort("none").to(
        Gemini,
        warns("reasoning_effort=raised").and("/generationConfig/thinkingConfig/thinkingLevel", "MINIMAL"),
    );
}

#[test]
fn each_client_is_told_of_its_own_field() {
    let known = || knowing(&[Effort::Low]);
    let to_all = |from, asked: Value, header| {
        for to in COLUMNS.into_iter().filter(|to| *to != from) {
            ask(from, asked.clone()).of(known()).to(to, warns(header));
        }
    };
    to_all(Chat, json!({"reasoning_effort": "high"}), "reasoning_effort=lowered");
    to_all(Responses, json!({"reasoning": {"effort": "high"}}), "reasoning.effort=lowered");
    to_all(Anthropic, json!({"thinking": {"type": "adaptive"}}), "thinking=lowered");
    let level = json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}});
    to_all(Gemini, level, "generationConfig.thinkingConfig=lowered");
}

#[test]
fn thinking_that_cannot_be_switched_off_is_the_least_there_is() {
    let traits = || ModelTraits {
        efforts: vec![Effort::Low, Effort::High],
        thinking_optional: false,
        ..ModelTraits::default()
    };
    let raised = || warns("reasoning_effort=raised");
    effort("none").of(traits()).to(Chat, raised().and("/reasoning_effort", "low"));
    effort("none").of(traits()).to(Responses, raised().and("/reasoning/effort", "low"));
    effort("none").of(traits()).to(Anthropic, raised().and("/output_config/effort", "low"));
    let level = "/generationConfig/thinkingConfig/thinkingLevel";
    effort("none").of(traits()).to(Gemini, raised().and(level, "LOW"));
}

#[test]
fn a_budget_leaves_room_for_an_answer() {
    let asked = |most: u64| {
        ask(Chat, json!({"reasoning_effort": "high", "max_completion_tokens": most})).of(by(Thinking::Budget))
    };
    asked(4_096).to(Anthropic, warns("reasoning_effort=lowered").and("/thinking/budget_tokens", 4_095));
    asked(1_024).to(Anthropic, warns("reasoning_effort=disabled").and("/thinking/type", "disabled"));
    let unlimited = ask(Chat, json!({"reasoning_effort": "high"})).of(ModelTraits {
        max_output: Some(512),
        thinking: Thinking::Budget,
        ..ModelTraits::default()
    });
    unlimited.to(Anthropic, warns("reasoning_effort=disabled"));
}

#[test]
fn a_forced_tool_and_thinking_do_not_go_together_at_anthropic() {
    let tool = json!({"type": "function", "function": {"name": "f"}});
    let asked = || ask(Chat, json!({"reasoning_effort": "low", "tools": [tool], "tool_choice": "required"}));
    asked().becomes([
        own(),
        has("/tool_choice", "required"),
        warns("reasoning_effort=disabled").and("/tool_choice/type", "any").and("/thinking/type", "disabled"),
        has("/toolConfig/functionCallingConfig/mode", "ANY"),
    ]);
    let always = ModelTraits { thinking_optional: false, ..ModelTraits::default() };
    asked().of(always).to(
        Anthropic,
        warns("tool_choice=relaxed").and("/tool_choice/type", "auto").and("/thinking/type", "adaptive"),
    );
    let both = ModelTraits { forced_tools_while_thinking: true, ..ModelTraits::default() };
    asked().of(both).to(Anthropic, has("/tool_choice/type", "any").and("/thinking/type", "adaptive"));
}

#[test]
fn functions_with_an_effort_do_without_it_where_chat_refuses_both() {
    let traits = || ModelTraits { tools_need_responses: true, ..ModelTraits::default() };
    let tool = json!({"name": "f", "input_schema": {"type": "object"}});
    let thinking = json!({"type": "adaptive"});
    let asked = ask(Anthropic, json!({"thinking": thinking, "tools": [tool]})).of(traits());
    asked.to(Chat, warns("thinking=disabled").and("/reasoning_effort", "none"));
}

#[test]
fn thoughts_are_asked_for_where_the_client_wants_to_read_them() {
    let shown = json!({"type": "adaptive", "display": "summarized"});
    ask(Anthropic, json!({"thinking": shown})).becomes([
        own(),
        has("/reasoning/summary", "auto"),
        own(),
        has("/generationConfig/thinkingConfig/includeThoughts", true),
    ]);
    let shown = json!({"reasoning": {"effort": "low", "summary": "detailed"}});
    ask(Responses, shown).to(Anthropic, has("/thinking/display", "summarized"));
    let shown =
        json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": true}}});
    ask(Gemini, shown).to(Anthropic, has("/thinking/display", "summarized"));
}
