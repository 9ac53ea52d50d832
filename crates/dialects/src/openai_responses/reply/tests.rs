use super::{decode_reply, encode_reply};
use crate::{
    fixtures,
    form::{
        Args, Choice, Citation, Finish, Losses, Opaque, Part, PartKind, Place, ReasoningForm, Reply, State,
        ToolCall,
    },
    openai_responses::testing::{context, opened},
    scene::sealer,
};
use cliproxy_domain::{Dialect, Failure};
use serde_json::{Value, json};

fn written(reply: &Reply, upstream: Dialect) -> Value {
    let body = encode_reply(reply, &context(upstream), &mut Losses::default());
    serde_json::from_slice(&body).unwrap()
}

fn saying(parts: Vec<Part>) -> Reply {
    let choice = Choice { index: 0, parts, finish: Finish::End, logprobs: None };
    let (id, model, created, usage, tier, fingerprint) = (None, None, None, None, None, None);
    Reply { id, model, created, choices: vec![choice], usage, tier, fingerprint }
}

fn call(id: &str, args: Args) -> Part {
    Part::new(PartKind::ToolCall(ToolCall { id: id.into(), name: "f".into(), args }))
}

/// Forgets what is new in every answer.
fn comparable(mut reply: Reply) -> Reply {
    reply.id = None;
    reply.model = None;
    for part in &mut reply.choices[0].parts {
        part.state = part.state.take().map(opened);
    }
    reply
}

fn without_ids(mut output: Value) -> Value {
    for item in output.as_array_mut().unwrap() {
        let item = item.as_object_mut().unwrap();
        item.remove("id");
        if item["type"] == "reasoning" {
            // Envelopes differ from what is in them, and the type asks for no status.
            item.remove("status");
            item.remove("encrypted_content");
            item.retain(|_, value| *value != json!([]));
        }
    }
    output
}

#[test]
fn every_recorded_answer_says_the_same_when_it_is_written_again() {
    for name in fixtures::names("openai-responses", ".response.json") {
        if name.starts_with("count-tokens") {
            continue;
        }
        let body = fixtures::read(&format!("openai-responses/{name}"));
        let reply = decode_reply(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = written(&reply, Dialect::OpenAiResponses);
        let reread = decode_reply(again.to_string().as_bytes()).unwrap();
        assert_eq!(comparable(reread), comparable(reply), "{name}");

        let recorded: Value = serde_json::from_slice(&body).unwrap();
        for field in
            ["status", "incomplete_details", "usage", "created_at", "service_tier", "object", "error"]
        {
            assert_eq!(again[field], recorded[field], "{name}: {field}");
        }
        if !name.starts_with("forward-compat") {
            assert_eq!(
                without_ids(again["output"].clone()),
                without_ids(recorded["output"].clone()),
                "{name}"
            );
        }
        assert_eq!(again["model"], "asked", "the client's own name of the model");
    }
}

#[test]
fn ids_are_new_and_of_their_kind() {
    let reasoning = Part::new(PartKind::Reasoning { text: "hm".into(), form: ReasoningForm::Raw });
    let parts = vec![
        reasoning,
        Part::text("a"),
        call("toolu_1", Args::Json(String::new())),
        call("c2", Args::Free("x".into())),
    ];
    let body = written(&saying(parts), Dialect::Anthropic);
    let ids: Vec<_> =
        body["output"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    for (id, prefix) in ids.iter().zip(["rs_", "msg_", "fc_", "ctc_"]) {
        assert!(id.starts_with(prefix), "{id}");
    }
    assert!(body["id"].as_str().unwrap().starts_with("resp_"));
    assert_eq!(body["output"][2]["call_id"], "toolu_1");
    assert_eq!(body["output"][2]["arguments"], "{}", "no arguments are an object of none (pitfall 2)");
}

#[test]
fn an_answer_that_was_cut_off_is_incomplete_with_its_last_item() {
    let mut reply = saying(vec![call("c1", Args::Json("{}".into())), Part::text("Oslo is")]);
    reply.choices[0].finish = Finish::ContextWindow;
    let body = written(&reply, Dialect::Anthropic);
    assert_eq!(
        (&body["status"], &body["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    assert_eq!(
        (&body["output"][0]["status"], &body["output"][1]["status"]),
        (&json!("completed"), &json!("incomplete"))
    );
}

#[test]
fn a_signature_of_geminis_rides_in_a_reasoning_item_beside_its_part() {
    let state = || Some(Opaque::Native(State::native(Dialect::Gemini, "c2ln")));
    let signed_call = Part { state: state(), ..call("c1", Args::Json("{}".into())) };
    let signed_text = Part { state: state(), ..Part::text("b") };
    let body = written(&saying(vec![Part::text("a"), signed_text, signed_call]), Dialect::Gemini);
    let kinds: Vec<_> =
        body["output"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "reasoning", "reasoning", "function_call"]);
    assert_eq!(body["output"][0]["content"].as_array().unwrap().len(), 2, "adjacent texts share a message");
    let place = |at: usize| {
        let sealed = body["output"][at]["encrypted_content"].as_str().unwrap();
        let state = sealer().open(sealed).unwrap();
        (state.place, state.payload, state.model, state.credential)
    };
    let model = Some("upstream-model".to_owned());
    assert_eq!(place(1), (Place::Previous, "c2ln".to_owned(), model.clone(), None));
    assert_eq!(place(2), (Place::Next, "c2ln".to_owned(), model, None));
}

#[test]
fn reasoning_without_text_and_state_makes_no_item() {
    let hidden = Part::new(PartKind::Reasoning { text: String::new(), form: ReasoningForm::Hidden });
    assert_eq!(written(&saying(vec![hidden, Part::text("")]), Dialect::Anthropic)["output"], json!([]));
}

#[test]
fn citations_become_annotations_where_they_lead_somewhere() {
    let citation = |url: Option<&str>| Citation {
        url: url.map(str::to_owned),
        title: None,
        text: None,
        start: None,
        end: None,
        raw: None,
    };
    let citations = vec![citation(Some("https://x")), citation(None)];
    let part = Part::new(PartKind::Text { text: "héllo".into(), citations });
    let body = written(&saying(vec![part]), Dialect::Gemini);
    assert_eq!(
        body["output"][0]["content"][0]["annotations"],
        json!([{"type": "url_citation", "start_index": 0, "end_index": 5, "url": "https://x", "title": "https://x"}])
    );
}

#[test]
fn log_probabilities_stand_on_the_text_that_they_are_of() {
    let token = |text: &str| json!({"token": text, "logprob": -0.1, "bytes": null, "top_logprobs": []});
    let mut reply = saying(vec![Part::text("ab"), call("c", Args::Json("{}".into())), Part::text("c")]);
    reply.choices[0].logprobs = Some(vec![token("a"), token("b"), token("c")]);
    let body = written(&reply, Dialect::OpenAiChat);
    assert_eq!(body["output"][0]["content"][0]["logprobs"], json!([token("a"), token("b")]));
    assert_eq!(body["output"][2]["content"][0]["logprobs"], json!([token("c")]));
    let again = decode_reply(body.to_string().as_bytes()).unwrap();
    assert_eq!(again.choices[0].logprobs, reply.choices[0].logprobs);
}

#[test]
fn what_only_another_dialect_knows_is_left_out_and_told() {
    let foreign =
        PartKind::Foreign { dialect: Dialect::Anthropic, name: "server_tool_use".into(), json: json!({}) };
    let mut losses = Losses::default();
    encode_reply(&saying(vec![Part::new(foreign)]), &context(Dialect::Anthropic), &mut losses);
    assert_eq!(losses.header().unwrap(), "output.server_tool_use=dropped");
}

#[test]
fn a_response_that_failed_is_the_providers_error() {
    let failed = |body: Value| decode_reply(body.to_string().as_bytes()).unwrap_err().failure;
    let error = json!({"code": "server_error", "message": "it broke"});
    assert_eq!(failed(json!({"status": "failed", "error": error, "output": []})), Failure::Upstream);
    assert_eq!(failed(json!({"status": "cancelled", "output": []})), Failure::Upstream);
    assert_eq!(failed(json!({"status": "queued", "output": []})), Failure::MalformedReply);
    assert_eq!(failed(json!({"hello": 1})), Failure::MalformedReply);
    assert_eq!(failed(json!([])), Failure::MalformedReply);
    let nameless = json!({"output": [{"type": "function_call", "call_id": "c", "arguments": "{}"}]});
    assert_eq!(failed(nameless), Failure::MalformedReply);
}

#[test]
fn a_call_without_an_id_gets_one_that_stays_the_same() {
    let body = json!({"id": "resp_1", "output": [{"type": "function_call", "name": "f", "arguments": "{}"}]});
    let read = || decode_reply(body.to_string().as_bytes()).unwrap();
    assert!(
        matches!(&read().choices[0].parts[0].kind, PartKind::ToolCall(call) if call.id.starts_with("call_"))
    );
    assert_eq!(read(), read());
}

#[test]
fn a_lone_surrogate_does_not_spoil_an_answer() {
    let body = br#"{"output":[{"type":"message","content":[{"type":"output_text","text":"a\ud83d"}]}]}"#;
    assert_eq!(decode_reply(body).unwrap().choices[0].parts[0].as_text(), Some("a\u{FFFD}"));
}
