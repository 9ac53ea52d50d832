//! Recordings with faults in them.

use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

/// A change of some bytes.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Set(Index, u8),
    Cut(Index, usize),
    Insert(Index, &'static str),
    Repeat(Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let pieces =
        ["\"", "{", "}", "[", "]", ",", ":", "\\", "\\ud83d", "null", "\n\n", "data: ", "é", "1e999", "-"];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, len)| Change::Cut(at, len)),
        (any::<Index>(), prop::sample::select(pieces.to_vec()))
            .prop_map(|(at, text)| Change::Insert(at, text)),
        (any::<Index>(), 1..200_usize).prop_map(|(at, len)| Change::Repeat(at, len)),
    ]
}

pub(super) fn changed(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        let len = bytes.len();
        match change {
            Change::Set(at, byte) => bytes[at.index(len)] = *byte,
            Change::Cut(at, count) => drop(bytes.drain(at.index(len)..(at.index(len) + count).min(len))),
            Change::Insert(at, text) => drop(bytes.splice(at.index(len)..at.index(len), text.bytes())),
            Change::Repeat(at, count) => {
                let again = bytes[at.index(len)..(at.index(len) + count).min(len)].to_vec();
                bytes.splice(at.index(len)..at.index(len), again);
            }
        }
    }
    bytes
}

/// Puts another value somewhere into a JSON text: right in form, wrong in meaning.
pub(super) fn revalued(json: &[u8], places: &[(Index, Index)]) -> Vec<u8> {
    let Ok(mut root) = serde_json::from_slice::<Value>(json) else { return json.to_vec() };
    let values = [
        json!(null),
        json!(true),
        json!(""),
        json!("x"),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!([]),
        json!([null]),
        json!([[]]),
        json!({}),
        json!({"type": "text"}),
        json!({"type": "unheard_of"}),
        json!("data:,"),
        json!({"$ref": "#"}),
    ];
    for (place, value) in places {
        let mut pointers = Vec::new();
        pointers_of(&root, String::new(), &mut pointers);
        let pointer = &pointers[place.index(pointers.len())];
        *root.pointer_mut(pointer).unwrap() = values[value.index(values.len())].clone();
    }
    serde_json::to_vec(&root).unwrap()
}

fn pointers_of(value: &Value, here: String, found: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                pointers_of(value, format!("{here}/{at}"), found);
            }
        }
        Value::Object(map) => {
            for (name, value) in map {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers_of(value, format!("{here}/{name}"), found);
            }
        }
        _ => {}
    }
    found.push(here);
}

/// The same for one event of a stream.
pub(super) fn revalued_event(stream: &[u8], event: Index, places: &[(Index, Index)]) -> Vec<u8> {
    let text = String::from_utf8(stream.to_vec()).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let data: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].starts_with("data: {")).collect();
    if data.is_empty() {
        return revalued(stream, places);
    }
    let at = data[event.index(data.len())];
    let mut out = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        match line.strip_prefix("data: ").filter(|_| place == at) {
            Some(json) => {
                out.extend_from_slice(b"data: ");
                out.extend(revalued(json.trim_end().as_bytes(), places));
                out.push(b'\n');
            }
            None => out.extend_from_slice(line.as_bytes()),
        }
    }
    out
}

pub(super) fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(change(), 1..6)
}

pub(super) fn places() -> impl Strategy<Value = Vec<(Index, Index)>> {
    prop::collection::vec((any::<Index>(), any::<Index>()), 1..4)
}
