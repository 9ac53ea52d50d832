//! How the answer is to be formed (§9.7 of the wire formats).

use super::Scope;
use crate::{
    form::{OutputFormat, PartKind, Refused},
    json::Object,
    translate::Notes,
    words::Word,
};

/// The name of a schema that its dialect gave none.
const UNNAMED: &str = "structured_output";

/// What is said in words where the server has no field for it.
pub(super) fn instruction(scope: &Scope<'_>) -> Option<String> {
    match scope.request.format.as_ref()? {
        OutputFormat::Json if !scope.own && !mentions_json(scope) => {
            Some("Answer with JSON and nothing else.".to_owned())
        }
        OutputFormat::Schema { schema, .. } if !scope.target.profile.strict_schemas => Some(format!(
            "Answer with one JSON document that follows this JSON schema, and nothing else:\n{schema}"
        )),
        _ => None,
    }
}

/// Tells whether the word JSON is in a message: OpenAI refuses the JSON mode without it.
fn mentions_json(scope: &Scope<'_>) -> bool {
    let mut parts = scope.request.turns.iter().flat_map(|turn| &turn.parts);
    parts.any(|part| match &part.kind {
        PartKind::Text { text, .. } => {
            text.as_bytes().windows(4).any(|four| four.eq_ignore_ascii_case(b"json"))
        }
        _ => false,
    })
}

/// Writes `response_format`.
pub(super) fn write(body: &mut Object<'_>, scope: &Scope<'_>, notes: &mut Notes) -> Result<(), Refused> {
    let Some(format) = &scope.request.format else { return Ok(()) };
    if instruction(scope).is_some() {
        notes.losses.changed(scope.word(Word::Format), "emulated")?;
    }
    let mut object = body.object("response_format");
    match format {
        OutputFormat::Text => {
            object.field("type", "text");
        }
        OutputFormat::Schema { name, description, schema, strict } if scope.target.profile.strict_schemas => {
            object.field("type", "json_schema");
            let mut inner = object.object("json_schema");
            inner.field("name", name.as_deref().unwrap_or(UNNAMED));
            inner.maybe("description", description.as_deref());
            inner.field("schema", schema).maybe("strict", *strict);
        }
        OutputFormat::Json | OutputFormat::Schema { .. } => {
            object.field("type", "json_object");
        }
    }
    Ok(())
}
