//! What both sides can say survives: a form that is written in a dialect and read again is the same.

use super::{TARGETS, scene};
use crate::{
    form::{
        Args, Detail, Media, OutputFormat, Part, PartKind, Request, Role, Sampling, Tool, ToolCall,
        ToolChoice, ToolKind, ToolResult, Turn,
    },
    translate::encode_request,
};
use cliproxy_domain::{Dialect, Effort};
use proptest::{option, prelude::*, sample::select};
use serde_json::{Number, Value, json};
use std::collections::BTreeMap;

/// Texts with what JSON has to escape.
fn text() -> impl Strategy<Value = String> {
    "[a-zé\"\\\\\n😀<]{1,12}"
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(
        "[a-z]{1,4}",
        prop_oneof![text().prop_map(Value::from), any::<i64>().prop_map(Value::from)],
        0..3,
    )
    .prop_map(|map| json!(map))
}

fn said_by_user() -> impl Strategy<Value = Part> {
    prop_oneof![
        3 => text().prop_map(Part::text),
        1 => select(vec!["image/png", "image/jpeg"]).prop_map(|mime| {
            let media = Media::Inline { mime: mime.to_owned(), base64: "iVBORw0=".to_owned() };
            Part::new(PartKind::Image { media, detail: None })
        }),
        1 => Just(Part::new(PartKind::File {
            media: Media::Inline { mime: "application/pdf".to_owned(), base64: "JVBERi0=".to_owned() },
            name: Some("a.pdf".to_owned()),
        })),
    ]
}

/// A text of the model, the arguments of its calls with their results, and what the user says to it.
type Exchange = (Option<String>, Vec<(Value, String)>, Vec<Part>);

fn exchange() -> impl Strategy<Value = Exchange> {
    let calls = prop::collection::vec((object(), text()), 0..3);
    (option::of(text()), calls, prop::collection::vec(said_by_user(), 1..3))
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let first = prop::collection::vec(said_by_user(), 1..3);
    let instructions = prop::collection::vec(text(), 0..3);
    (instructions, first, prop::collection::vec(exchange(), 0..3)).prop_map(
        |(instructions, first, exchanges)| {
            let instruction = |text| Turn::new(Role::System, vec![Part::text(text)]);
            let mut turns: Vec<Turn> = instructions.into_iter().map(instruction).collect();
            turns.push(Turn::new(Role::User, first));
            let mut ordinal = 0;
            for (answer, calls, next) in exchanges {
                let mut said: Vec<Part> = answer.map(Part::text).into_iter().collect();
                let mut heard = Vec::new();
                for (args, result) in calls {
                    ordinal += 1;
                    let (id, name) = (format!("call_{ordinal}"), format!("tool_{}", ordinal % 2));
                    said.push(Part::new(PartKind::ToolCall(ToolCall {
                        id: id.clone(),
                        name: name.clone(),
                        args: Args::Json(args.to_string()),
                    })));
                    let content = vec![Part::text(result)];
                    let result = ToolResult { id, name: None, error: false, free: false, content };
                    heard.push(Part::new(PartKind::ToolResult(result)));
                }
                if said.is_empty() {
                    said.push(Part::text("so"));
                }
                heard.extend(next);
                turns.extend([Turn::new(Role::Assistant, said), Turn::new(Role::User, heard)]);
            }
            turns
        },
    )
}

fn tools() -> impl Strategy<Value = (Vec<Tool>, Option<ToolChoice>)> {
    let tool = |at: usize, description: Option<String>| Tool {
        name: format!("tool_{at}"),
        description,
        kind: ToolKind::Function {
            schema: Some(json!({
                "type": "object",
                "properties": {"a": {"type": "string", "description": "d"}, "b": {"type": ["integer", "null"]}},
                "required": ["a"],
                "additionalProperties": false
            })),
            strict: None,
        },
        cache: None,
        bag: crate::form::Bag::default(),
    };
    let choice = select(vec![
        ToolChoice::None,
        ToolChoice::Auto,
        ToolChoice::Required,
        ToolChoice::One("tool_1".into()),
    ]);
    // Both tools are there in any case: a history may call them.
    (option::of(text()), option::of(choice)).prop_map(move |(description, choice)| {
        (vec![tool(0, description), tool(1, Some("second".into()))], choice)
    })
}

fn request() -> impl Strategy<Value = Request> {
    let limits = (
        option::of(16..60_000_u64),
        option::of(select(vec!["0.5", "1", "0"])),
        option::of(select(vec!["0.9", "1"])),
    );
    let wishes = (
        option::of(select(vec![Effort::Low, Effort::Medium, Effort::High])),
        option::of(any::<bool>()),
        any::<bool>(),
    );
    (turns(), tools(), limits, wishes).prop_map(
        |(turns, (tools, tool_choice), (max_output, temperature, top_p), (effort, shaped, stream))| {
            let mut request = Request::new(Dialect::OpenAiChat, scene::ASKED);
            request.turns = turns;
            request.tools = tools;
            request.tool_choice = tool_choice;
            request.max_output = max_output;
            request.sampling.temperature = temperature.map(number);
            request.sampling.top_p = top_p.map(number);
            // Anthropic cannot force a tool while it thinks, nor Gemini call tools and follow a schema.
            if !matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::One(_))) {
                request.reasoning.effort = effort;
            }
            request.format = shaped.map(|named| OutputFormat::Schema {
                name: named.then(|| "shape".to_owned()),
                description: None,
                schema: json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false}),
                strict: None,
            });
            request.stream = stream;
            request
        },
    )
}

fn number(text: &str) -> Number {
    serde_json::from_str(text).unwrap()
}

/// What is compared: without where it came from, who spelled it and how it was cut into messages.
#[derive(Debug, PartialEq)]
struct Said {
    turns: Vec<(Role, Vec<PartKind>)>,
    tools: Vec<(String, Option<String>, Value)>,
    tool_choice: Option<ToolChoice>,
    max_output: Option<u64>,
    numbers: (Option<f64>, Option<f64>),
    effort: Option<Effort>,
    schema: Option<Value>,
}

fn said(request: &Request) -> Said {
    let mut turns: Vec<(Role, Vec<PartKind>)> = Vec::new();
    // Ids may be rewritten; calls and results must still pair.
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for turn in &request.turns {
        let role = if turn.role.is_instruction() { Role::System } else { turn.role };
        let parts = turn.parts.iter().map(|part| plain(&part.kind, &mut ids));
        match turns.last_mut() {
            Some((last, known)) if *last == role => known.extend(parts),
            _ => turns.push((role, parts.collect())),
        }
    }
    let tool = |tool: &Tool| {
        let ToolKind::Function { schema, .. } = &tool.kind else { panic!("{tool:?}") };
        (tool.name.clone(), tool.description.clone(), schema.clone().unwrap_or_default())
    };
    let float = |number: &Option<Number>| number.as_ref().and_then(Number::as_f64);
    Said {
        turns,
        tools: request.tools.iter().map(tool).collect(),
        tool_choice: request.tool_choice.clone(),
        max_output: request.max_output,
        numbers: (float(&request.sampling.temperature), float(&request.sampling.top_p)),
        effort: request.reasoning.effort,
        schema: match &request.format {
            Some(OutputFormat::Schema { schema, .. }) => Some(schema.clone()),
            _ => None,
        },
    }
}

/// A part without what only some dialects spell.
fn plain(kind: &PartKind, ids: &mut BTreeMap<String, String>) -> PartKind {
    let next = format!("call {}", ids.len());
    match kind.clone() {
        PartKind::Image { media, detail } => {
            PartKind::Image { media, detail: detail.filter(|detail| *detail != Detail::Auto) }
        }
        PartKind::File { media, .. } => PartKind::File { media, name: None },
        PartKind::ToolResult(ToolResult { id, error, free, content, .. }) => {
            let content = content.iter().map(|part| Part::new(plain(&part.kind, ids))).collect();
            PartKind::ToolResult(ToolResult { id: ids[&id].clone(), name: None, error, free, content })
        }
        PartKind::ToolCall(ToolCall { id, name, args: Args::Json(args) }) => {
            ids.insert(id, next.clone());
            let args = serde_json::from_str::<Value>(&args).unwrap().to_string();
            PartKind::ToolCall(ToolCall { id: next, name, args: Args::Json(args) })
        }
        other => other,
    }
}

/// Leaves out what `target` cannot say.
fn sayable(mut request: Request, target: Dialect) -> Request {
    match target {
        Dialect::Anthropic => {
            // It must have one.
            request.max_output.get_or_insert(32_000);
            // It does not think when its calls come back without its thoughts.
            let calls = |part: &Part| matches!(part.kind, PartKind::ToolCall(_));
            if request.turns.iter().any(|turn| turn.parts.iter().any(calls)) {
                request.reasoning.effort = None;
            }
            // Nor does it draw tokens otherwise than usual while it thinks.
            if request.reasoning.effort.is_some() {
                request.sampling = Sampling::default();
            }
        }
        // It takes either functions or a schema.
        Dialect::Gemini => request.format = None,
        Dialect::OpenAiChat | Dialect::OpenAiResponses => {}
    }
    request
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_request_is_read_as_it_was_written(request in request()) {
        for (target, _) in TARGETS {
            let request = sayable(request.clone(), target);
            let (body, notes) = encode_request(&request, &scene::target(target)).unwrap();
            prop_assert_eq!(notes.losses.header(), None, "{:?}", target);
            let again = scene::request(target, &body).unwrap();
            prop_assert_eq!(said(&again), said(&request), "{}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn the_same_request_is_written_as_the_same_bytes(request in request()) {
        for (target, _) in TARGETS {
            let request = sayable(request.clone(), target);
            let once = encode_request(&request, &scene::target(target)).unwrap().0;
            prop_assert_eq!(&encode_request(&request.clone(), &scene::target(target)).unwrap().0, &once);
        }
    }
}
