//! Taking what the gateway put into `thoughtSignature` out again: the state of a provider of another dialect, which
//! belongs to the reasoning before the part that carries it (§8.3 of the wire formats).

use crate::form::{Opaque, Part, PartKind, ReasoningForm};

/// Gives the parts with each envelope on a reasoning part of its own. The thoughts directly before it, which clients
/// keep or leave out as they like, are its text.
pub(super) fn emptied(parts: Vec<Part>) -> Vec<Part> {
    let sealed = |part: &Part| matches!(part.state, Some(Opaque::Sealed(_)));
    if !parts.iter().any(sealed) {
        return parts;
    }
    let mut emptied: Vec<Part> = Vec::with_capacity(parts.len() + 1);
    for mut part in parts {
        if !sealed(&part) || matches!(part.kind, PartKind::Reasoning { .. }) {
            emptied.push(part);
            continue;
        }
        let text = thoughts_before(&mut emptied);
        let form = if text.is_empty() { ReasoningForm::Hidden } else { ReasoningForm::Summary };
        let reasoning = PartKind::Reasoning { text, form };
        emptied.push(Part { state: part.state.take(), ..Part::new(reasoning) });
        // An empty text was there for the envelope alone.
        if part.as_text() != Some("") {
            emptied.push(part);
        }
    }
    emptied
}

/// Takes the thoughts without a state of their own off the end.
fn thoughts_before(parts: &mut Vec<Part>) -> String {
    let is_thought = |part: &Part| matches!(part.kind, PartKind::Reasoning { .. }) && part.state.is_none();
    let first = parts.iter().rposition(|part| !is_thought(part)).map_or(0, |last| last + 1);
    let mut text = String::new();
    for part in parts.drain(first..) {
        if let PartKind::Reasoning { text: thought, .. } = part.kind {
            text.push_str(&thought);
        }
    }
    text
}
