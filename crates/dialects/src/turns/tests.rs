use super::*;
use crate::form::{
    Args, CacheMark, Opaque, PartKind, ReasoningForm, State, ToolCall, ToolResult, Turn as Message,
};
use serde_json::{Value, json};

const OLD: Rules = Rules { system_anywhere: false, prefill: false };
const NEW: Rules = Rules { system_anywhere: true, prefill: false };

fn call(id: &str) -> Part {
    Part::new(PartKind::ToolCall(ToolCall { id: id.into(), name: "f".into(), args: Args::Json("{}".into()) }))
}

fn result(id: &str) -> Part {
    let content = vec![Part::text(format!("of {id}"))];
    Part::new(PartKind::ToolResult(ToolResult {
        id: id.into(),
        name: None,
        error: false,
        free: false,
        content,
    }))
}

fn marked(mut part: Part) -> Part {
    part.cache = Some(CacheMark::default());
    part
}

fn chat(turns: Vec<(Role, Vec<Part>)>) -> Request {
    let mut request = Request::new(Dialect::OpenAiChat, "m");
    request.turns = turns.into_iter().map(|(role, parts)| Message::new(role, parts)).collect();
    request
}

fn text(text: &str) -> Vec<Part> {
    vec![Part::text(text)]
}

/// Shows a part in a word: its text, `call a`, `result a`; a cache mark is a `*`.
fn shown(part: &Part) -> String {
    let what = match &part.kind {
        PartKind::Text { text, .. } => text.clone(),
        PartKind::ToolCall(call) => format!("call {}", call.id),
        PartKind::ToolResult(result) => format!("result {}", result.id),
        PartKind::Reasoning { .. } => "reasoning".to_owned(),
        other => panic!("not in these tests: {other:?}"),
    };
    if part.cache.is_some() { what + "*" } else { what }
}

fn order(request: &Request, rules: Rules) -> Result<(Value, Option<String>), Refused> {
    let mut notes = Notes::default();
    let conversation = ordered(request, rules, &mut notes)?;
    let list = |parts: &[Cow<'_, Part>]| parts.iter().map(|part| shown(part)).collect::<Vec<_>>();
    let turns: Vec<Value> = conversation
        .turns
        .iter()
        .map(|turn| json!({format!("{:?}", turn.role): list(&turn.parts)}))
        .collect();
    Ok((json!({"system": list(&conversation.system), "turns": turns}), notes.losses.header()))
}

#[track_caller]
fn assert_order(turns: Vec<(Role, Vec<Part>)>, rules: Rules, expected: Value, warnings: Option<&str>) {
    let (shown, header) = order(&chat(turns), rules).unwrap();
    assert_eq!(shown["turns"], expected);
    assert_eq!(header.as_deref(), warnings);
}

/// Shows the rows of the golden table as [`order`] shows a conversation.
fn golden(row: &Value) -> Value {
    let texts = |content: &Value| match content {
        Value::String(text) => vec![text.clone()],
        blocks => {
            let blocks = blocks.as_array().unwrap().iter();
            blocks.map(|block| block["text"].as_str().unwrap().to_owned()).collect()
        }
    };
    let system = row.get("system").unwrap_or(&row["systemInstruction"]["parts"]);
    let messages = row.get("messages").unwrap_or(&row["contents"]).as_array().unwrap();
    let turns: Vec<Value> = messages
        .iter()
        .map(|message| {
            let role = match message["role"].as_str().unwrap() {
                "system" => "System",
                "user" => "User",
                _ => "Assistant",
            };
            json!({role: texts(message.get("content").unwrap_or(&message["parts"]))})
        })
        .collect();
    json!({"system": texts(system), "turns": turns})
}

#[test]
fn instructions_go_where_the_golden_table_says() {
    let table: Value = serde_json::from_slice(&crate::fixtures::read("golden/system-messages.json")).unwrap();
    let messages = table["openai-chat"].as_array().unwrap().iter().map(|message| {
        let role = match message["role"].as_str().unwrap() {
            "system" => Role::System,
            "developer" => Role::Developer,
            "user" => Role::User,
            _ => Role::Assistant,
        };
        (role, text(message["content"].as_str().unwrap()))
    });
    let request = chat(messages.collect());
    for (row, rules) in [("anthropic", NEW), ("anthropic_old", OLD), ("gemini", OLD)] {
        let (shown, warnings) = order(&request, rules).unwrap();
        assert_eq!(shown, golden(&table[row]), "{row}");
        assert_eq!(warnings, None, "{row}");
    }
}

#[test]
fn neighbours_of_one_role_become_one_turn() {
    assert_order(
        vec![
            (Role::User, text("a")),
            (Role::User, text("b")),
            (Role::Assistant, text("c")),
            (Role::Assistant, text("d")),
            (Role::User, text("e")),
        ],
        OLD,
        json!([{"User": ["a", "b"]}, {"Assistant": ["c", "d"]}, {"User": ["e"]}]),
        None,
    );
}

#[test]
fn results_come_first_and_in_the_order_of_the_calls() {
    assert_order(
        vec![
            (Role::User, text("go")),
            (Role::Assistant, vec![Part::text("so"), call("a"), call("b")]),
            (Role::User, vec![result("b")]),
            (Role::User, text("and")),
            (Role::User, vec![result("a")]),
        ],
        OLD,
        json!([
            {"User": ["go"]},
            {"Assistant": ["so", "call a", "call b"]},
            {"User": ["result a", "result b", "and"]}
        ]),
        None,
    );
}

#[test]
fn calls_that_share_an_id_take_their_results_in_turn() {
    let mut twice = chat(vec![
        (Role::User, text("go")),
        (Role::Assistant, vec![call("a"), call("a")]),
        (Role::User, vec![result("a"), result("a")]),
        (Role::Assistant, vec![call("a")]),
        (Role::User, vec![result("a")]),
    ]);
    assert!(order(&twice, OLD).is_ok());
    twice.turns.pop();
    assert_eq!(order(&twice, OLD).unwrap_err().field, "messages[3]");
}

#[test]
fn a_call_without_a_result_is_refused_by_the_name_of_its_message() {
    let request = chat(vec![
        (Role::System, text("s")),
        (Role::User, text("go")),
        (Role::Assistant, vec![call("a"), call("b")]),
        (Role::User, vec![result("a")]),
        (Role::Assistant, text("so")),
        (Role::User, vec![result("b")]),
    ]);
    let refused = order(&request, OLD).unwrap_err();
    assert_eq!(refused.field, "messages[2]");
    assert!(refused.message.contains("has no result"), "{refused}");

    let mut gemini = request.clone();
    gemini.from = Dialect::Gemini;
    assert_eq!(order(&gemini, OLD).unwrap_err().field, "contents[1]");
}

#[test]
fn a_result_without_a_call_is_refused_by_the_name_of_its_message() {
    let request = chat(vec![
        (Role::User, text("go")),
        (Role::Assistant, vec![call("a")]),
        (Role::User, vec![result("a")]),
        (Role::User, vec![result("b")]),
    ]);
    let refused = order(&request, OLD).unwrap_err();
    assert_eq!(refused.field, "messages[3]");
    assert!(refused.message.contains("answers no call"), "{refused}");
    assert!(order(&chat(vec![(Role::User, vec![result("a")])]), OLD).is_err());
}

#[test]
fn an_instruction_between_a_call_and_its_result_waits_for_the_result() {
    let turns = || {
        vec![
            (Role::User, text("go")),
            (Role::Assistant, vec![call("a"), call("b")]),
            (Role::User, vec![result("b")]),
            (Role::System, text("be brief")),
            (Role::User, vec![result("a"), Part::text("now")]),
        ]
    };
    assert_order(
        turns(),
        NEW,
        json!([
            {"User": ["go"]},
            {"Assistant": ["call a", "call b"]},
            {"User": ["result a", "result b"]},
            {"System": ["be brief"]},
            {"User": ["now"]}
        ]),
        None,
    );
    assert_order(
        turns(),
        OLD,
        json!([
            {"User": ["go"]},
            {"Assistant": ["call a", "call b"]},
            {"User": ["result a", "result b", "<system>\nbe brief\n</system>", "now"]}
        ]),
        None,
    );
}

#[test]
fn a_last_instruction_is_said_by_the_user() {
    for rules in [OLD, NEW] {
        assert_order(
            vec![(Role::User, text("a")), (Role::System, text("b"))],
            rules,
            json!([{"User": ["a", "<system>\nb\n</system>"]}]),
            None,
        );
        assert_order(
            vec![(Role::User, text("a")), (Role::Assistant, text("b")), (Role::Developer, text("c"))],
            rules,
            json!([{"User": ["a"]}, {"Assistant": ["b"]}, {"User": ["<system>\nc\n</system>"]}]),
            None,
        );
    }
}

#[test]
fn the_last_of_instructions_alone_is_the_users_turn() {
    let request =
        chat(vec![(Role::System, text("a")), (Role::Developer, vec![Part::text("b"), Part::text("c")])]);
    let (shown, warnings) = order(&request, NEW).unwrap();
    assert_eq!(shown, json!({"system": ["a"], "turns": [{"User": ["b", "c"]}]}));
    assert_eq!(warnings, None);
}

#[test]
fn a_user_begins_and_ends_the_conversation_with_a_warning() {
    assert_order(
        vec![(Role::Assistant, text("a")), (Role::User, text("b")), (Role::Assistant, text("c"))],
        OLD,
        json!([{"User": ["(continue)"]}, {"Assistant": ["a"]}, {"User": ["b"]}, {"Assistant": ["c"]}, {"User": ["(continue)"]}]),
        Some("messages=continued"),
    );
    let prefill = Rules { prefill: true, ..OLD };
    assert_order(
        vec![(Role::User, text("b")), (Role::Assistant, text("c"))],
        prefill,
        json!([{"User": ["b"]}, {"Assistant": ["c"]}]),
        None,
    );
}

#[test]
fn empty_texts_go_and_leave_their_cache_marks_to_the_part_before() {
    let thought = Part::new(PartKind::Reasoning { text: "t".into(), form: ReasoningForm::Summary });
    let request = chat(vec![
        (Role::System, vec![Part::text("a"), marked(Part::text(""))]),
        (Role::User, vec![Part::text(""), Part::text("b")]),
        (Role::User, vec![marked(Part::text(""))]),
        (Role::Assistant, vec![Part::text("c"), thought, marked(Part::text("")), marked(Part::text(""))]),
        (Role::User, vec![Part::text(""), Part::text("d"), marked(Part::text("")), Part::text("e")]),
        (Role::User, vec![marked(Part::text("f")), marked(Part::text(""))]),
    ]);
    let (shown, _) = order(&request, OLD).unwrap();
    assert_eq!(
        shown,
        json!({
            "system": ["a*"],
            "turns": [{"User": ["b*"]}, {"Assistant": ["c*", "reasoning"]}, {"User": ["d*", "e", "f*"]}]
        })
    );
}

#[test]
fn an_empty_text_inside_a_result_leaves_its_mark_too() {
    let mut answer = result("a");
    if let PartKind::ToolResult(result) = &mut answer.kind {
        result.content = vec![marked(Part::text(""))];
    }
    assert_order(
        vec![(Role::User, text("go")), (Role::Assistant, vec![call("a")]), (Role::User, vec![answer])],
        OLD,
        json!([{"User": ["go"]}, {"Assistant": ["call a"]}, {"User": ["result a*"]}]),
        None,
    );
}

#[test]
fn an_empty_text_that_is_signed_stays() {
    let mut signed = Part::text("");
    signed.state = Some(Opaque::Native(State::native(Dialect::Gemini, "sig")));
    assert_order(
        vec![
            (Role::User, text("a")),
            (Role::Assistant, vec![Part::text("b"), signed]),
            (Role::User, text("c")),
        ],
        OLD,
        json!([{"User": ["a"]}, {"Assistant": ["b", ""]}, {"User": ["c"]}]),
        None,
    );
}

#[test]
fn an_empty_message_amid_a_conversation_does_not_spoil_it() {
    assert_order(
        vec![
            (Role::User, text("a")),
            (Role::Assistant, text("b")),
            (Role::User, text("")),
            (Role::Assistant, vec![]),
            (Role::Assistant, text("c")),
            (Role::User, text("d")),
        ],
        OLD,
        json!([{"User": ["a"]}, {"Assistant": ["b", "c"]}, {"User": ["d"]}]),
        None,
    );
}

#[test]
fn a_conversation_in_which_no_user_says_anything_is_refused() {
    let silent = chat(vec![(Role::System, text("a")), (Role::User, text("")), (Role::Assistant, text("b"))]);
    let refused = order(&silent, OLD).unwrap_err();
    assert_eq!(refused.field, "messages[1]");
    assert_eq!(order(&chat(vec![]), OLD).unwrap_err().field, "messages");
}
