use super::*;
use crate::form::{Bag, Opaque, ReasoningForm, State, Tool, ToolChoice, ToolKind};
use cliproxy_domain::{Effort, Thinking};
use serde_json::json;

fn asking(effort: Effort) -> Request {
    let mut request = chat("a");
    request.reasoning.effort = Some(effort);
    request
}

fn manual() -> To {
    to().knowing(|traits| traits.thinking = Thinking::Budget)
}

#[test]
fn efforts_are_written_as_the_golden_table_says() {
    let golden = read("golden/effort.json");
    for effort in Effort::ALL {
        let (body, losses) = to().told(&asking(effort));
        let expected = &golden["effort_to_anthropic"][effort.as_str()];
        assert_eq!(body["thinking"], expected["thinking"], "{effort:?}");
        assert_eq!(body.get("output_config"), expected.get("output_config"), "{effort:?}");
        assert_eq!(losses, "");
    }
}

#[test]
fn budgets_are_written_as_the_golden_table_says() {
    let golden = read("golden/effort.json");
    for effort in Effort::ALL.into_iter().filter(|effort| *effort != Effort::None) {
        let mut request = asking(effort);
        request.max_output = Some(100_000);
        let body = manual().told(&request).0;
        let expected =
            json!({"type": "enabled", "budget_tokens": golden["effort_to_budget"][effort.as_str()]});
        assert_eq!(body["thinking"], expected);
        assert_eq!(body.get("output_config"), None);
    }
    assert_eq!(manual().told(&asking(Effort::None)).0["thinking"], json!({"type": "disabled"}));
}

#[test]
fn thinking_is_never_invented() {
    for to in [to(), manual()] {
        let body = to.told(&chat("a")).0;
        assert_eq!((body.get("thinking"), body.get("output_config")), (None, None));
    }
}

#[test]
fn the_clients_own_budget_goes_to_a_model_that_takes_budgets() {
    let mut request = asking(Effort::Low);
    request.reasoning.budget = Some(3000);
    request.reasoning.shown = Some(true);
    let expected = json!({"type": "enabled", "budget_tokens": 3000, "display": "summarized"});
    assert_eq!(manual().told(&request).0["thinking"], expected);
}

#[test]
fn a_budget_stays_below_the_limit_of_the_answer() {
    let mut request = asking(Effort::High);
    request.max_output = Some(4096);
    let (body, losses) = manual().told(&request);
    assert_eq!(body["thinking"]["budget_tokens"], 4095);
    assert_eq!((body["max_tokens"].as_u64(), losses.as_str()), (Some(4096), "reasoning_effort=lowered"));

    request.max_output = Some(1024);
    let (body, losses) = manual().told(&request);
    assert_eq!(body["thinking"], json!({"type": "disabled"}));
    assert_eq!((body["max_tokens"].as_u64(), losses.as_str()), (Some(1024), "reasoning_effort=disabled"));
}

#[test]
fn a_limit_that_the_client_did_not_set_makes_room_for_thinking() {
    let mut to = manual();
    to.policy.default_max_tokens = 1000;
    let body = to.told(&asking(Effort::Low)).0;
    assert_eq!((&body["max_tokens"], &body["thinking"]["budget_tokens"]), (&json!(3072), &json!(2048)));
}

#[test]
fn an_effort_that_the_model_lacks_becomes_the_nearest_with_a_warning() {
    let to = to().knowing(|traits| traits.efforts = vec![Effort::Low, Effort::Medium, Effort::High]);
    let (body, losses) = to.told(&asking(Effort::Max));
    assert_eq!(body["output_config"]["effort"], "high");
    assert_eq!(losses, "reasoning_effort=lowered");
    let (body, losses) = to.told(&asking(Effort::Minimal));
    assert_eq!((body["output_config"]["effort"].as_str(), losses.as_str()), (Some("low"), ""));
}

#[test]
fn a_model_that_always_thinks_does_so_as_little_as_it_can() {
    let to = to().knowing(|traits| traits.thinking_optional = false);
    let (body, losses) = to.told(&asking(Effort::None));
    assert_eq!(body["thinking"], json!({"type": "adaptive"}));
    assert_eq!(body["output_config"]["effort"], "low");
    assert_eq!(losses, "reasoning_effort=raised");
}

#[test]
fn a_model_that_cannot_think_is_not_told_to() {
    let to = to().knowing(|traits| traits.thinking = Thinking::Never);
    let (body, losses) = to.told(&asking(Effort::High));
    assert_eq!((body.get("thinking"), losses.as_str()), (None, "reasoning_effort=dropped"));
    assert_eq!(to.told(&asking(Effort::None)).1, "");
}

fn forcing(mut request: Request) -> Request {
    let kind = ToolKind::Function { schema: None, strict: None };
    let tool = Tool { name: "look".into(), description: None, kind, cache: None, bag: Bag::default() };
    request.tools.push(tool);
    request.tool_choice = Some(ToolChoice::Required);
    request
}

#[test]
fn a_forced_choice_switches_thinking_off() {
    let (body, losses) = to().told(&forcing(asking(Effort::High)));
    assert_eq!(body["tool_choice"], json!({"type": "any"}));
    assert_eq!(body["thinking"], json!({"type": "disabled"}));
    assert_eq!(body.get("output_config"), None);
    assert_eq!(losses, "reasoning_effort=disabled");
}

#[test]
fn a_model_that_always_thinks_is_left_its_choice() {
    let to = to().knowing(|traits| traits.thinking_optional = false);
    let (body, losses) = to.told(&forcing(asking(Effort::High)));
    assert_eq!(body["tool_choice"], json!({"type": "auto"}));
    assert_eq!(body["thinking"], json!({"type": "adaptive"}));
    assert_eq!(losses, "tool_choice=relaxed");
}

#[test]
fn a_model_that_can_do_both_is_asked_for_both() {
    let to = to().knowing(|traits| traits.forced_tools_while_thinking = true);
    let (body, losses) = to.told(&forcing(asking(Effort::High)));
    assert_eq!(body["tool_choice"], json!({"type": "any"}));
    assert_eq!(body["thinking"], json!({"type": "adaptive"}));
    assert_eq!(losses, "");
}

fn looped(mut request: Request, parts: Vec<Part>) -> Request {
    request.turns.push(Turn::new(Role::Assistant, parts));
    request.turns.push(Turn::new(Role::User, vec![result("c1", "1")]));
    request
}

fn thought(state: State) -> Part {
    let kind = PartKind::Reasoning { text: "t".into(), form: ReasoningForm::Summary };
    Part { state: Some(Opaque::Sealed(sealer().seal(&state))), ..Part::new(kind) }
}

#[test]
fn a_call_whose_thinking_was_dropped_goes_without_thinking_for_this_request() {
    let foreign = || thought(State::native(Dialect::Gemini, "sig"));
    for to in [to(), manual()] {
        let request = looped(asking(Effort::High), vec![foreign(), call("c1", "{}")]);
        let (body, losses) = to.told(&request);
        assert_eq!(body["thinking"], json!({"type": "disabled"}));
        assert_eq!(losses, "reasoning_effort=disabled");
    }
    let mut over = looped(asking(Effort::High), vec![foreign(), call("c1", "{}")]);
    over.turns.push(Turn::new(Role::Assistant, vec![Part::text("done")]));
    over.turns.push(Turn::new(Role::User, vec![Part::text("next")]));
    assert_eq!(to().told(&over).0["thinking"], json!({"type": "adaptive"}), "the loop is over");
}

#[test]
fn a_covered_call_goes_with_thinking() {
    let own = || thought(State::native(Dialect::Anthropic, "sig"));
    for to in [to(), manual()] {
        let request = looped(asking(Effort::High), vec![own(), call("c1", "{}")]);
        let (body, losses) = to.told(&request);
        assert_ne!(body["thinking"]["type"], "disabled");
        assert_eq!(losses, "");
    }
}

#[test]
fn a_client_that_carries_no_state_has_lost_the_thinking_of_its_calls() {
    for to in [to(), manual()] {
        let request = looped(asking(Effort::High), vec![call("c1", "{}")]);
        assert_eq!(to.told(&request).0["thinking"], json!({"type": "disabled"}));
    }
}

#[test]
fn only_manual_thinking_asks_for_thinking_at_the_begin_of_a_loop() {
    let own = thought(State::native(Dialect::Anthropic, "sig"));
    let mut request = asking(Effort::High);
    request.turns.push(Turn::new(Role::Assistant, vec![own, Part::text("b")]));
    request.turns.push(Turn::new(Role::User, vec![Part::text("and?")]));
    let request = looped(request, vec![call("c1", "{}")]);
    assert_eq!(to().told(&request).0["thinking"], json!({"type": "adaptive"}), "it did not think");
    assert_eq!(manual().told(&request).0["thinking"], json!({"type": "disabled"}));
}

#[test]
fn sampling_does_not_go_with_thinking() {
    let mut request = asking(Effort::High);
    request.sampling.temperature = serde_json::Number::from_f64(0.2);
    let (body, notes) = to().encoded(&request).unwrap();
    assert_eq!((body.get("temperature"), &body["thinking"]), (None, &json!({"type": "adaptive"})));
    assert_eq!(notes.losses.header().unwrap(), "temperature=dropped");
    request.reasoning.effort = Some(Effort::None);
    assert_eq!(to().told(&request).0["temperature"], json!(0.2));
}

#[test]
fn a_client_of_this_dialect_goes_without_thinking_when_its_envelope_is_anothers() {
    let envelope = sealer().seal(&State::native(Dialect::OpenAiResponses, "enc"));
    let body = json!({
        "max_tokens": 2048, "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"},
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [
                {"type": "redacted_thinking", "data": envelope},
                {"type": "tool_use", "id": "c1", "name": "look", "input": {}}
            ]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "1"}]}
        ]
    });
    let (written, losses) = to().told(&decoded(&body));
    assert_eq!(written["thinking"], json!({"type": "disabled"}));
    assert_eq!(written.get("output_config"), None);
    assert_eq!(losses, "thinking=disabled");
    assert!(!written.to_string().contains(&envelope));
}
