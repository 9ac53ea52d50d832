//! Any request: what is read and written is read the same, and nothing makes it panic.

use crate::openai_responses::testing::{decoded, encoded};
use proptest::prelude::*;
use serde_json::{Value, json};

fn text() -> impl Strategy<Value = String> {
    "[a-zé\"\\\\\n]{0,6}"
}

fn content() -> impl Strategy<Value = Value> {
    let part = prop_oneof![
        text().prop_map(|text| json!({"type": "input_text", "text": text})),
        text().prop_map(|text| json!({"type": "input_text", "text": text, "prompt_cache_breakpoint": {"mode": "explicit"}})),
        Just(json!({"type": "input_image", "image_url": "https://x/y.png"})),
        Just(json!({"type": "input_image", "file_id": "file-1", "detail": "high"})),
        Just(json!({"type": "input_file", "file_url": "https://x/y.pdf"})),
        text().prop_map(|text| json!({"type": "hologram", "x": text})),
    ];
    prop_oneof![text().prop_map(Value::from), prop::collection::vec(part, 0..3).prop_map(Value::from)]
}

fn item() -> impl Strategy<Value = Value> {
    let role = prop::sample::select(vec!["user", "system", "developer"]);
    prop_oneof![
        (role, content()).prop_map(|(role, content)| json!({"role": role, "content": content})),
        (text(), any::<bool>()).prop_map(|(text, named)| {
            let part = json!({"type": "output_text", "text": text});
            let mut item = json!({"type": "message", "role": "assistant", "content": [part], "phase": "final_answer"});
            if named {
                item["id"] = json!("msg_1");
            }
            item
        }),
        text().prop_map(|args| json!({"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": format!("[{args:?}]")})),
        text().prop_map(|input| json!({"type": "custom_tool_call", "call_id": "c", "name": "g", "input": input})),
        content().prop_map(|output| json!({"type": "function_call_output", "call_id": "c", "output": output})),
        (text(), text()).prop_map(|(text, state)| json!({"type": "reasoning", "id": "rs_1", "encrypted_content": state,
            "summary": [{"type": "summary_text", "text": text}]})),
        Just(json!({"type": "web_search_call", "id": "ws_1"})),
    ]
}

proptest! {
    #[test]
    fn a_request_reads_the_same_when_it_was_written(items in prop::collection::vec(item(), 0..8), stream: bool) {
        let body = json!({"model": "gpt-6-astra", "input": items, "stream": stream, "store": false});
        let request = decoded(&body).unwrap();
        let (written, notes) = encoded(&request).unwrap();
        prop_assert!(notes.losses.is_empty());
        let again = encoded(&decoded(&written).unwrap()).unwrap().0;
        prop_assert_eq!(again, written);
    }

    #[test]
    fn no_field_of_any_type_makes_it_panic(
        name in prop::sample::select(vec!["input", "tools", "text", "reasoning", "include", "metadata", "tool_choice"]),
        value in any_json(),
    ) {
        if let Ok(request) = decoded(&json!({"input": "hi", name: value})) {
            let _ = encoded(&request);
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec!["message", "function_call", "reasoning", "user", "input_text", "auto", ""])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop::sample::select(vec![
            "type", "role", "content", "name", "call_id", "text", "format", "output",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..4)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}
