use super::*;
use crate::form::{Citation, Detail, Media, Opaque, ReasoningForm, State};
use cliproxy_domain::UnsupportedTools;
use serde_json::json;

fn said_by_user(parts: Vec<Part>) -> Request {
    let mut request = chat("a");
    request.turns[0].parts = parts;
    request
}

fn reasoning(text: &str, state: Option<Opaque>) -> Part {
    let kind = PartKind::Reasoning { text: text.to_owned(), form: ReasoningForm::Summary };
    Part { state, ..Part::new(kind) }
}

fn looped(answer: Vec<Part>) -> Request {
    let mut request = chat("a");
    request.turns.push(Turn::new(Role::Assistant, answer));
    request.turns.push(Turn::new(Role::User, vec![result("c1", "1")]));
    request
}

fn sealed(state: State) -> Option<Opaque> {
    Some(Opaque::Sealed(sealer().seal(&state)))
}

#[test]
fn instructions_go_where_the_golden_table_says() {
    let golden = read("golden/system-messages.json");
    let mut request = Request::new(Dialect::OpenAiChat, "m");
    for message in golden["openai-chat"].as_array().unwrap() {
        let role = match message["role"].as_str().unwrap() {
            "system" => Role::System,
            "developer" => Role::Developer,
            "assistant" => Role::Assistant,
            _ => Role::User,
        };
        request.turns.push(Turn::new(role, vec![Part::text(message["content"].as_str().unwrap())]));
    }
    let (body, losses) = to().knowing(|traits| traits.system_anywhere = true).told(&request);
    assert_eq!(body["system"], golden["anthropic"]["system"]);
    assert_eq!(body["messages"], golden["anthropic"]["messages"]);
    assert_eq!(losses, "");
    let (body, _) = to().told(&request);
    assert_eq!(body["system"], golden["anthropic_old"]["system"]);
    let texts = body["messages"].to_string();
    assert!(texts.contains("<system>\\nC.\\n</system>") && !texts.contains("\"system\""), "{texts}");
}

/// Pitfalls 25 and 26.
#[test]
fn results_stand_in_one_message_first_and_in_the_order_of_the_calls() {
    let mut request = chat("a");
    request.turns.push(Turn::new(Role::Assistant, vec![call("functions.look:0", "{}"), call("c2", "{}")]));
    request.turns.push(Turn::new(Role::User, vec![result("c2", "2")]));
    request.turns.push(Turn::new(Role::User, vec![result("functions.look:0", "1")]));
    request.turns.push(Turn::new(Role::User, vec![Part::text("and?")]));
    let body = to().told(&request).0;
    let id = body["messages"][1]["content"][0]["id"].as_str().unwrap();
    assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)), "{id}: pitfall 27");
    let expected = json!({"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": id, "content": "1"},
        {"type": "tool_result", "tool_use_id": "c2", "content": "2"},
        {"type": "text", "text": "and?"}
    ]});
    assert_eq!(body["messages"][2], expected);
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
}

#[test]
fn arguments_keep_the_models_own_spelling_and_must_be_an_object() {
    let args = "{ \"n\": 12345678901234567890123, \"f\": 1.0 }";
    let to = to();
    let (body, _) = encode_request(&looped(vec![call("c1", args)]), &to.target("asked")).unwrap();
    assert!(std::str::from_utf8(&body).unwrap().contains(args));
    for broken in ["{\"a\":", "[]", "7", "{} {}"] {
        assert_eq!(to.refused(&looped(vec![call("c1", broken)])), "messages[1]", "{broken}");
    }
}

#[test]
fn images_and_documents_are_written_as_sources() {
    let inline = |mime: &str, base64: &str| Media::Inline { mime: mime.into(), base64: base64.into() };
    let url = |url: &str, mime: Option<&str>| Media::Url { url: url.into(), mime: mime.map(Into::into) };
    let image = |media| Part::new(PartKind::Image { media, detail: None });
    let file = |media, name: Option<&str>| Part::new(PartKind::File { media, name: name.map(Into::into) });
    let (body, losses) = to().told(&said_by_user(vec![
        image(inline("image/JPG", "AA==")),
        image(url("https://x/y", None)),
        file(inline("application/pdf", "BB=="), Some("r.pdf")),
        file(url("https://x/y.pdf", Some("application/pdf")), None),
        file(inline("text/csv; charset=utf-8", "YSxi"), None),
        file(Media::Text("t".into()), None),
        file(url("https://x/y.png", Some("image/png")), None),
    ]));
    let expected = json!([
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AA=="}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y"}},
        {"type": "document", "title": "r.pdf",
         "source": {"type": "base64", "media_type": "application/pdf", "data": "BB=="}},
        {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "t"}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}
    ]);
    assert_eq!(body["messages"][0]["content"], expected);
    assert_eq!(losses, "");
}

#[test]
fn media_that_anthropic_cannot_take_are_refused_by_their_message() {
    let inline = |mime: &str| Media::Inline { mime: mime.into(), base64: "AA==".into() };
    let theirs = Media::FileId { dialect: Dialect::OpenAiChat, id: "file-1".into() };
    for kind in [
        PartKind::Image { media: inline("image/tiff"), detail: None },
        PartKind::File { media: inline("application/zip"), name: None },
        PartKind::Audio(inline("audio/wav")),
        PartKind::File { media: theirs, name: None },
    ] {
        assert_eq!(to().refused(&said_by_user(vec![Part::new(kind)])), "messages[0]");
    }
}

#[test]
fn the_detail_of_an_image_is_lost() {
    let media = Media::Url { url: "https://x".into(), mime: None };
    let image = |detail| Part::new(PartKind::Image { media: media.clone(), detail: Some(detail) });
    assert_eq!(to().told(&said_by_user(vec![image(Detail::High)])).1, "messages.detail=dropped");
    assert_eq!(to().told(&said_by_user(vec![image(Detail::Auto)])).1, "");
}

#[test]
fn a_part_that_only_its_own_vendor_understands_is_refused_or_left_out() {
    let foreign = |name: &str| {
        let (name, json) = (name.to_owned(), json!({}));
        Part::new(PartKind::Foreign { dialect: Dialect::OpenAiResponses, name, json })
    };
    let mut request = chat("a");
    request.turns.push(Turn::new(Role::Assistant, vec![foreign("web_search_call"), Part::text("b")]));
    request.turns.push(Turn::new(Role::User, vec![Part::text("c")]));
    assert_eq!(to().refused(&request), "messages[1]");
    let mut to = to();
    to.policy.unsupported_tools = UnsupportedTools::Drop;
    let (body, losses) = to.told(&request);
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": [{"type": "text", "text": "b"}]}));
    assert_eq!(losses, "messages.web_search_call=dropped");
    assert_eq!(to.refused(&said_by_user(vec![foreign("hologram")])), "messages[0]");
    assert_eq!(to.refused(&said_by_user(vec![foreign("item_reference")])), "messages[0]");
}

/// Pitfall 9.
#[test]
fn reasoning_without_a_signature_of_this_provider_is_left_out_and_none_is_made_up() {
    let gemini = sealed(State::native(Dialect::Gemini, "sig"));
    let other = Some(Opaque::Sealed(
        crate::envelope::Sealer::new("other", b"s").seal(&State::native(Dialect::Anthropic, "sig")),
    ));
    for state in [None, gemini, other] {
        let mut request = chat("a");
        request.turns.push(Turn::new(Role::Assistant, vec![reasoning("t", state), Part::text("b")]));
        request.turns.push(Turn::new(Role::User, vec![Part::text("c")]));
        let (body, losses) = to().told(&request);
        assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "b"}));
        assert_eq!(losses, "");
    }
}

/// Pitfall 10.
#[test]
fn thinking_comes_back_verbatim_from_every_pocket() {
    let native = State::native(Dialect::Anthropic, "c2ln");
    let with_text = State { text: Some("thought é".into()), ..native.clone() };
    let thinking = json!({"type": "thinking", "thinking": "thought é", "signature": "c2ln"});
    let signed_call = |state| Part { state, ..call("c1", "{}") };
    let pockets = [
        // Another dialect with room for the text.
        vec![reasoning("thought é", sealed(native.clone())), call("c1", "{}")],
        // Chat: the envelope alone.
        vec![reasoning("", sealed(with_text.clone())), Part::text("b"), call("c1", "{}")],
        // Gemini: the signature on the part after the thought.
        vec![reasoning("thought é", None), signed_call(sealed(native))],
        vec![signed_call(sealed(with_text))],
    ];
    for parts in pockets {
        let body = to().told(&looped(parts)).0;
        let content = body["messages"][1]["content"].as_array().unwrap();
        assert_eq!(content[0], thinking);
        assert_eq!(content.iter().filter(|block| block["type"] == "thinking").count(), 1);
        assert_eq!(content.last().unwrap()["type"], "tool_use");
    }
}

#[test]
fn thinking_keeps_its_place_unless_it_must_come_first() {
    use cliproxy_domain::{Effort, Thinking};
    let state = sealed(State::native(Dialect::Anthropic, "c2ln"));
    let mut request = looped(vec![Part::text("b"), reasoning("t", state), call("c1", "{}")]);
    request.reasoning.effort = Some(Effort::Low);
    let kinds = |to: To| -> Vec<String> {
        let body = to.told(&request).0;
        let content = body["messages"][1]["content"].as_array().unwrap().iter();
        content.map(|block| block["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(to()), ["text", "thinking", "tool_use"]);
    let manual = to().knowing(|traits| traits.thinking = Thinking::Budget);
    assert_eq!(kinds(manual), ["thinking", "text", "tool_use"]);
}

#[test]
fn redacted_thinking_comes_back_as_such() {
    let state = State { redacted: true, ..State::native(Dialect::Anthropic, "b3Bh") };
    let body = to().told(&looped(vec![reasoning("", sealed(state)), call("c1", "{}")])).0;
    assert_eq!(body["messages"][1]["content"][0], json!({"type": "redacted_thinking", "data": "b3Bh"}));
}

#[test]
fn a_citation_that_was_made_for_the_client_does_not_go_to_the_provider() {
    let citation = Citation {
        url: Some("https://x".into()),
        title: None,
        text: None,
        start: None,
        end: None,
        raw: None,
    };
    let made = super::super::citation::write(&citation).unwrap();
    let body = json!({"messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "text", "text": "b", "citations": [made]}]},
        {"role": "user", "content": "c"}
    ]});
    let written = to().told(&decoded(&body)).0;
    assert_eq!(written["messages"][1]["content"], json!([{"type": "text", "text": "b"}]));
}

#[test]
fn refusals_of_the_history_are_text() {
    let mut request = chat("a");
    request.turns.push(Turn::new(Role::Assistant, vec![Part::new(PartKind::Refusal("no".into()))]));
    request.turns.push(Turn::new(Role::User, vec![Part::text("c")]));
    let body = to().told(&request).0;
    assert_eq!(body["messages"][1]["content"], json!([{"type": "text", "text": "no"}]));
}
