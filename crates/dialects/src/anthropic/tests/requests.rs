use super::*;
use crate::fixtures;
use serde_json::json;

/// Spells in blocks what may be a string too.
fn normal(mut body: Value) -> Value {
    fn blocks(content: &mut Value) {
        if let Some(text) = content.as_str() {
            *content = json!([{"type": "text", "text": text}]);
        }
        for block in content.as_array_mut().into_iter().flatten() {
            if block["type"] == "tool_result" && block.get("content").is_some() {
                blocks(&mut block["content"]);
            }
        }
    }
    if body.get("system").is_some() {
        blocks(&mut body["system"]);
    }
    for message in body["messages"].as_array_mut().unwrap() {
        blocks(&mut message["content"]);
    }
    body
}

#[test]
fn every_recorded_request_goes_out_as_it_came_in() {
    let names = fixtures::names("anthropic", ".request.json");
    assert!(names.len() > 10);
    for name in names.iter().filter(|name| !name.starts_with("count-tokens")) {
        let body = read(&format!("anthropic/{name}"));
        let mut expected = normal(body.clone());
        expected["model"] = json!("claude-opus-5-5");
        let (written, losses) = to().told(&decoded(&body));
        assert_eq!(normal(written), expected, "{name}");
        assert_eq!(losses, "", "{name}");
    }
}

#[test]
fn what_only_this_dialect_says_goes_out_as_it_came_in() {
    let big: Value = serde_json::from_str("12345678901234567890123").unwrap();
    let body = json!({
        "model": "claude-opus-5-5",
        "max_tokens": 2048,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "hourly", "x": 1}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "search_result", "source": "https://s", "title": "t", "content": []},
                {"type": "document", "source": {"type": "content", "content": []}, "title": "d"},
                {"type": "image", "source": {"type": "hologram", "x": 1}},
                {"type": "text", "text": "a", "new": {"field": null}}
            ]},
            {"role": "assistant", "content": [
                {"type": "redacted_thinking", "data": "b3BhcXVl"},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
                {"type": "text", "text": "b", "citations": [
                    {"type": "char_location", "cited_text": "c", "document_index": 0, "start_char_index": 0,
                     "end_char_index": 1, "document_title": null}
                ]},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"n": null, "big": big}}
            ]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true}]}
        ],
        "tools": [
            {"type": "web_search_20260318", "name": "web_search", "max_uses": 3},
            {"name": "f", "input_schema": {"type": "object", "x": null}, "eager_input_streaming": true}
        ],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "thinking": {"type": "between_tools"},
        "output_config": {"effort": "low", "new": 1},
        "metadata": {"user_id": "u", "new": 2},
        "service_tier": "batch_only",
        "speed": "fast",
        "container": "container_1",
        "inference_geo": "eu"
    });
    let (written, losses) = to().told(&decoded(&body));
    assert_eq!(written, body);
    assert_eq!(losses, "");
}

#[test]
fn an_effort_without_thinking_does_not_begin_to_think() {
    let body = json!({
        "model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}],
        "output_config": {"effort": "xhigh"}
    });
    assert_eq!(to().told(&decoded(&body)).0, body);
}

#[test]
fn thinking_is_an_effort_to_every_other_dialect() {
    use cliproxy_domain::Effort;
    let asked = |extra: Value| {
        let mut body = json!({"messages": [{"role": "user", "content": "a"}]});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let request = decoded(&body);
        assert_eq!(request.bag.foreign_to(Dialect::Gemini).count(), 0, "{body}");
        (request.reasoning.effort, request.reasoning.budget, request.reasoning.shown)
    };
    let adaptive = json!({"thinking": {"type": "adaptive", "display": "omitted"}});
    assert_eq!(asked(adaptive), (Some(Effort::High), None, Some(false)));
    let manual = json!({"thinking": {"type": "enabled", "budget_tokens": 2048}});
    assert_eq!(asked(manual), (Some(Effort::Low), Some(2048), None));
    assert_eq!(asked(json!({"thinking": {"type": "disabled"}})), (Some(Effort::None), None, None));
    let both = json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}});
    assert_eq!(asked(both), (Some(Effort::Max), None, None));
    assert_eq!(asked(json!({})), (None, None, None));
}

#[test]
fn a_signature_of_ours_is_known_for_one_when_it_comes_back() {
    use crate::form::{Opaque, State};
    let envelope = sealer().seal(&State::native(Dialect::Gemini, "sig"));
    let body = json!({"messages": [{"role": "assistant", "content": [
        {"type": "thinking", "thinking": "", "signature": envelope},
        {"type": "thinking", "thinking": "native", "signature": "c2ln"},
        {"type": "thinking", "thinking": "unsigned", "signature": ""},
        {"type": "redacted_thinking", "data": envelope}
    ]}]});
    let request = decoded(&body);
    let states: Vec<_> = request.turns[0].parts.iter().map(|part| part.state.clone()).collect();
    let native = Opaque::Native(State::native(Dialect::Anthropic, "c2ln"));
    let sealed = Opaque::Sealed(envelope);
    assert_eq!(states, [Some(sealed.clone()), Some(native), None, Some(sealed)]);
}

#[test]
fn an_unsound_request_is_refused_by_the_path_of_the_field() {
    let cases = [
        (json!({}), "messages"),
        (json!({"messages": {}}), "messages"),
        (json!({"messages": [7]}), "messages[0]"),
        (json!({"messages": [{"content": "a"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "tool", "content": "a"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user"}]}), "messages[0].content"),
        (json!({"messages": [{"role": "user", "content": [{"text": "a"}]}]}), "messages[0].content[0].type"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            "messages[0].content[0].text",
        ),
        (
            json!({"messages": [{"role": "assistant", "content": [
                {"type": "tool_use", "id": "i", "name": "n", "input": []}
            ]}]}),
            "messages[0].content[0].input",
        ),
        (json!({"messages": [], "stop_sequences": [1]}), "stop_sequences"),
        (json!({"messages": [], "tools": [{"input_schema": {}}]}), "tools[0].name"),
        (json!({"messages": [], "tool_choice": {"type": "tool"}}), "tool_choice.name"),
        (json!({"messages": [], "thinking": {"type": "enabled"}}), "thinking.budget_tokens"),
    ];
    for (body, field) in cases {
        let refused = scene::decoded(OWN, &body).unwrap_err();
        assert_eq!(refused.field, field, "{body}");
    }
}

#[test]
fn counting_leaves_out_what_says_how_an_answer_is_made() {
    let mut body = read("anthropic/text-legacy-version.request.json");
    body["stop_sequences"] = json!(["END"]);
    body["metadata"] = json!({"user_id": "u"});
    body["inference_geo"] = json!("eu");
    let mut request = decoded(&body);
    request.stream = true;
    let (counted, notes) = to().counted(&request).unwrap();
    let fields: Vec<_> = counted.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["model", "system", "messages"]);
    assert!(notes.losses.is_empty());

    let recorded = read("anthropic/count-tokens.request.json");
    let (counted, _) = to().counted(&decoded(&recorded)).unwrap();
    assert_eq!(normal(counted), normal(recorded));
}

#[test]
fn a_cache_mark_with_more_to_say_is_a_mark_to_every_dialect() {
    let mark = json!({"type": "ephemeral", "ttl": "1h", "scope": "global"});
    let content = json!([{"type": "text", "text": "a", "cache_control": mark}]);
    let part =
        decoded(&json!({"messages": [{"role": "user", "content": content}]})).turns.remove(0).parts.remove(0);
    assert_eq!(part.cache, Some(crate::form::CacheMark { ttl: Some("1h".into()) }));
    assert!(part.bag.is_empty());
}
