//! The parts of a content (§5.2 and §9.8 of the wire formats).

use super::{
    super::{fields::within, json_text},
    contents::{Called, Calls},
    media, results,
    signatures::Signed,
    words,
};
use crate::{
    form::{Args, Media, Part, PartKind, Refused, Request, ToolCall},
    free_input,
    json::{Array, Object},
    translate::{Notes, Target},
};
use cliproxy_domain::Dialect;
use serde_json::Value;

/// Tells whether a part is an empty text, which the API refuses; a signed one it made itself.
pub(super) fn says_nothing(signed: &Signed<'_>) -> bool {
    let text = match &signed.part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) | PartKind::Reasoning { text, .. } => text,
        _ => return false,
    };
    text.is_empty() && signed.signature.is_none()
}

/// Writes parts and remembers the calls among them.
pub(super) struct Writer<'w> {
    pub(super) request: &'w Request,
    pub(super) target: &'w Target<'w>,
    pub(super) notes: &'w mut Notes,
    pub(super) calls: Calls,
}

impl Writer<'_> {
    /// Writes one part.
    ///
    /// # Errors
    /// When it is something that Gemini has no part for.
    pub(super) fn part(&mut self, array: &mut Array<'_>, signed: &Signed<'_>) -> Result<(), Refused> {
        let mut object = array.object();
        let part: &Part = &signed.part;
        match &part.kind {
            PartKind::Text { text, .. } | PartKind::Refusal(text) => drop(object.field("text", text)),
            PartKind::Reasoning { text, .. } => {
                object.field("text", text);
                // A signature without thoughts came on an empty text.
                if !text.is_empty() {
                    object.field("thought", &true);
                }
            }
            PartKind::Image { .. } | PartKind::Audio(_) | PartKind::File { .. } => {
                media::write(&mut object, part, self.request)?;
            }
            PartKind::ToolCall(call) => self.call(&mut object, call, signed)?,
            PartKind::ToolResult(result) => {
                let called = self.calls.get(&result.id);
                results::write(&mut object, result, called, &part.bag, self.request)?;
            }
            PartKind::Foreign { dialect: Dialect::Gemini, json: Value::Object(fields), .. } => {
                object.bag(fields.iter().map(|(name, value)| (name.as_str(), value)));
            }
            PartKind::Foreign { .. } => return Err(unknown(self.request)),
        }
        object.maybe("thoughtSignature", signed.signature.as_deref());
        object.bag(within(&part.bag, ""));
        Ok(())
    }

    fn call(&mut self, object: &mut Object<'_>, call: &ToolCall, signed: &Signed<'_>) -> Result<(), Refused> {
        let wrapped;
        let args = match &call.args {
            Args::Json(args) => args,
            Args::Free(input) => {
                wrapped = free_input::wrapped(input);
                &wrapped
            }
        };
        let args = json_text::object(args).ok_or_else(|| self.bad_arguments(&call.id))?;
        let name = self.notes.tool_name(&call.name, self.target).into_owned();
        let mut written = object.object("functionCall");
        written.maybe("id", signed.id.as_deref());
        written.field("name", &name).raw("args", &args);
        written.bag(within(&signed.part.bag, "functionCall"));
        self.calls.insert(call.id.clone(), Called { name, id: signed.id.clone() });
        Ok(())
    }

    fn bad_arguments(&self, id: &str) -> Refused {
        let path = words::message_of_call(self.request, id);
        let message = format!(
            "the arguments of a tool call in `{path}` are not a JSON object: send them as the model wrote them, or leave the call out"
        );
        Refused::new(path, message)
    }
}

/// Refuses a part that only its own vendor's servers understand.
pub(super) fn unknown(request: &Request) -> Refused {
    let list = crate::places::list(request.from);
    Refused::new(
        list,
        format!(
            "`{list}` holds a part that this provider does not know: leave it out, or use a provider of this API"
        ),
    )
}

/// Gives the text of a part that is written as text.
pub(super) fn text_of(part: &Part) -> Option<&str> {
    match &part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) => Some(text),
        PartKind::File { media: Media::Text(text), .. } => Some(text),
        _ => None,
    }
}
