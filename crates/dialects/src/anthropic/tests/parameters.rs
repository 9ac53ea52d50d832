use super::*;
use crate::form::{Bag, CacheMark, OutputFormat, Tier};
use cliproxy_domain::{Need, Needs};
use serde_json::{Number, json};

#[test]
fn sampling_is_clamped_and_asks_for_the_older_version() {
    let mut request = chat("a");
    request.sampling.temperature = Number::from_f64(1.7);
    request.sampling.top_p = Number::from_f64(0.5);
    request.sampling.top_k = Some(Number::from(40));
    let (body, notes) = to().encoded(&request).unwrap();
    assert_eq!((&body["temperature"], &body["top_p"], &body["top_k"]), (&json!(1), &json!(0.5), &json!(40)));
    assert_eq!(notes.losses.header().unwrap(), "temperature=clamped");
    assert_eq!(notes.anthropic_version, Some("2023-06-01"));
}

/// Pitfall 35: the newer version refuses sampling parameters even at their defaults.
#[test]
fn sampling_is_left_out_for_a_model_that_refuses_it() {
    let mut request = chat("a");
    request.sampling.temperature = Some(Number::from(1));
    let to = to().knowing(|traits| traits.sampling = false);
    let (body, notes) = to.encoded(&request).unwrap();
    assert_eq!(body.get("temperature"), None);
    assert_eq!(notes.losses.header().unwrap(), "temperature=dropped");
    assert_eq!(notes.anthropic_version, Some("2026-10-21"));
}

#[test]
fn a_client_of_this_dialect_gets_the_version_that_takes_all() {
    let (_, notes) = to().encoded(&decoded(&read("anthropic/text.request.json"))).unwrap();
    assert_eq!(notes.anthropic_version, Some("2023-06-01"));
    assert_eq!(to().encoded(&chat("a")).unwrap().1.anthropic_version, Some("2026-10-21"));
}

#[test]
fn a_limit_of_the_answer_is_the_clients_or_the_models_or_the_default() {
    let limit = |asked: Option<u64>, known: Option<u64>| {
        let mut request = chat("a");
        request.max_output = asked;
        let to = to().knowing(|traits| traits.max_output = known);
        let (body, losses) = to.told(&request);
        assert_eq!(losses, "");
        body["max_tokens"].as_u64().unwrap()
    };
    assert_eq!(limit(Some(7), Some(8_000)), 7);
    assert_eq!(limit(None, Some(8_000)), 8_000);
    assert_eq!(limit(None, Some(128_000)), 32_000);
    assert_eq!(limit(None, None), 32_000);
}

#[test]
fn what_anthropic_does_not_know_is_left_out_with_a_warning() {
    let mut request = chat("a");
    request.sampling.presence_penalty = Some(Number::from(1));
    request.sampling.frequency_penalty = Some(Number::from(1));
    request.sampling.seed = Some(Number::from(1));
    request.sampling.top_logprobs = Some(0);
    request.stop = vec![" \n".into(), "END".into()];
    request.verbosity = Some("low".into());
    request.metadata = Some(serde_json::Map::new());
    request.tier = Some(Tier::Flex);
    request.cache_key = Some("k".into());
    request.turns[0].name = Some("ada".into());
    let Value::Object(bag) = json!({"logit_bias": {}, "store": true, "x": 1}) else { panic!() };
    request.bag = Bag::new(Dialect::OpenAiChat, bag);
    let (body, losses) = to().told(&request);
    assert_eq!(
        losses,
        "logit_bias=dropped, x=dropped, messages.name=dropped, presence_penalty=dropped, frequency_penalty=dropped, seed=dropped, top_logprobs=dropped, \
         stop=dropped, verbosity=dropped, metadata=dropped, service_tier=dropped"
    );
    let expected = json!({
        "model": "claude-opus-5-5", "max_tokens": 32000, "messages": [{"role": "user", "content": "a"}],
        "stop_sequences": ["END"]
    });
    assert_eq!(body, expected);
}

#[test]
fn losses_are_named_in_the_clients_words() {
    let mut request = chat("a");
    request.from = Dialect::Gemini;
    request.sampling.seed = Some(Number::from(1));
    request.stop = vec!["".into()];
    let losses = to().told(&request).1;
    assert_eq!(losses, "generationConfig.seed=dropped, generationConfig.stopSequences=dropped");
    assert_eq!(To::refusing(Dialect::Anthropic).refused(&request), "generationConfig.seed");
}

#[test]
fn what_the_meaning_hangs_on_is_refused() {
    let refused = |change: fn(&mut Request)| {
        let mut request = chat("a");
        change(&mut request);
        to().refused(&request)
    };
    assert_eq!(refused(|request| request.choices = Some(2)), "n");
    assert_eq!(refused(|request| request.sampling.logprobs = Some(true)), "logprobs");
    assert_eq!(refused(|request| request.media_output = true), "modalities");
    assert_eq!(refused(|request| request.server_state.push("previous_response_id")), "previous_response_id");
    let blocks = |request: &mut Request| {
        let Value::Object(bag) = json!({"moderation": {"policy": "block"}}) else { panic!() };
        request.bag = Bag::new(Dialect::OpenAiChat, bag);
    };
    assert_eq!(refused(blocks), "moderation");
}

#[test]
fn tiers_are_spelled_as_anthropic_does() {
    let tier = |tier: Tier| {
        let mut request = chat("a");
        request.tier = Some(tier);
        to().told(&request).0.get("service_tier").cloned()
    };
    assert_eq!(tier(Tier::Auto), Some(json!("auto")));
    assert_eq!(tier(Tier::Priority), Some(json!("auto")));
    assert_eq!(tier(Tier::Standard), Some(json!("standard_only")));
    assert_eq!(tier(Tier::Flex), None);
}

fn format(schema: Value) -> OutputFormat {
    OutputFormat::Schema { name: Some("n".into()), description: None, schema, strict: Some(false) }
}

#[test]
fn an_answer_of_a_schema_is_asked_for_in_the_subset() {
    let golden = read("golden/schema.json");
    let mut request = chat("a");
    request.format = Some(format(golden["input"].clone()));
    let (body, losses) = to().told(&request);
    let expected = json!({"format": {"type": "json_schema", "schema": golden["anthropic_strict"]}});
    assert_eq!((&body["output_config"], losses.as_str()), (&expected, ""));
}

#[test]
fn a_forced_tool_stands_in_for_a_schema_on_models_that_know_none() {
    let to = to().knowing(|traits| traits.lacks = Needs::of(&[Need::StructuredOutput]));
    let mut request = chat("a");
    request.format = Some(format(json!({"type": "object"})));
    let (body, notes) = to.encoded(&request).unwrap();
    assert!(notes.structured_tool);
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "structured_output"}));
    assert_eq!(body["tools"][0]["input_schema"], json!({"type": "object"}));
    assert_eq!(body.get("output_config"), None);
    assert_eq!(notes.losses.header().unwrap(), "response_format=emulated");

    request.format = Some(format(json!({"type": "array"})));
    assert_eq!(to.refused(&request), "response_format");
}

#[test]
fn json_mode_becomes_an_instruction() {
    let mut request = chat("a");
    request.format = Some(OutputFormat::Json);
    let (body, losses) = to().told(&request);
    assert_eq!(body["system"], "Answer with one JSON object and nothing else.");
    assert_eq!(losses, "response_format=emulated");
}

#[test]
fn the_last_four_cache_marks_are_kept() {
    let mut request = chat("0");
    for number in 1..6 {
        request.turns[0].parts.push(Part {
            cache: Some(CacheMark { ttl: Some("30m".into()) }),
            ..Part::text(number.to_string())
        });
    }
    let (body, losses) = to().told(&request);
    let blocks = body["messages"][0]["content"].as_array().unwrap();
    let marked: Vec<_> = blocks.iter().map(|block| block.get("cache_control").is_some()).collect();
    assert_eq!(marked, [false, false, true, true, true, true]);
    assert_eq!(blocks[5]["cache_control"], json!({"type": "ephemeral"}), "another dialect's time to live");
    assert_eq!(losses, "");
}

#[test]
fn the_same_request_is_written_in_the_same_bytes() {
    let request = decoded(&read("anthropic/tool-result.request.json"));
    let to = to();
    let bytes = || encode_request(&request, &to.target("asked")).unwrap().0;
    assert_eq!(bytes(), bytes());
}
