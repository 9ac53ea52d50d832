//! Reading a provider's whole answer.

use crate::{
    classify,
    form::{Args, Choice, Opaque, Part, PartKind, ReasoningForm, Reply, State, ToolCall},
    json::{some_text, text},
    openai_responses::{
        annotation,
        decode::tier,
        outcome,
        wire::{ContentPart, Item, Response, list, logprobs, malformed, value, values},
    },
    tool_ids,
    usage::Counts,
};
use cliproxy_domain::{AttemptError, Dialect, TokenUsage};
use serde_json::{Value, value::RawValue};
use std::borrow::Cow;

const OWN: Dialect = Dialect::OpenAiResponses;

/// Reads an answer.
pub(crate) fn decode_reply(body: &[u8]) -> Result<Reply, AttemptError> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(malformed("the provider's answer is not a JSON object"));
    }
    let response: Response<'_> =
        serde_json::from_slice(body).map_err(|_| malformed("the provider's answer is not valid JSON"))?;
    if response.output.is_none() && response.status.is_none() {
        // A server that sends an error with a status of success.
        return Err(match response.error {
            Some(_) => classify::in_stream_bytes(body),
            None => malformed("the provider's answer holds no output"),
        });
    }
    let id = text(response.id).map(Cow::into_owned);
    let mut reader =
        Reader { answer: id.as_deref().unwrap_or_default(), parts: Vec::new(), logprobs: Vec::new() };
    for raw in list::<&RawValue>(response.output) {
        reader.item(raw)?;
    }
    let called = reader.parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_)));
    let finish = outcome::read(&response, "completed", called)?;
    let logprobs = (!reader.logprobs.is_empty()).then_some(reader.logprobs);
    let choice = Choice { index: 0, parts: reader.parts, finish, logprobs };
    let counts = response.usage.and_then(|raw| Counts::read(OWN, raw.get())).filter(Counts::reported);
    Ok(Reply {
        model: text(response.model).map(Cow::into_owned),
        created: response.created(),
        choices: vec![choice],
        usage: counts.map(|counts| counts.total(OWN, TokenUsage::default())),
        tier: text(response.service_tier).map(|name| tier(name.into_owned())),
        fingerprint: None,
        id,
    })
}

struct Reader<'a> {
    answer: &'a str,
    parts: Vec<Part>,
    logprobs: Vec<Value>,
}

impl Reader<'_> {
    fn item(&mut self, raw: &RawValue) -> Result<(), AttemptError> {
        let Ok(item) = serde_json::from_str::<Item<'_>>(raw.get()) else { return Ok(()) };
        match text(item.r#type).unwrap_or_default().as_ref() {
            "message" => list::<ContentPart<'_>>(item.content).iter().for_each(|part| self.content(part)),
            "function_call" => self.call(&item, item.arguments, Args::Json)?,
            "custom_tool_call" => self.call(&item, item.input, Args::Free)?,
            "reasoning" => self.parts.extend(reasoning(&item)),
            "" => {}
            kind => {
                let name = kind.to_owned();
                if let Some(json) = value(raw) {
                    self.parts.push(Part::new(PartKind::Foreign { dialect: OWN, name, json }));
                }
            }
        }
        Ok(())
    }

    fn content(&mut self, part: &ContentPart<'_>) {
        match text(part.r#type).unwrap_or_default().as_ref() {
            "output_text" => {
                let text = text(part.text).unwrap_or_default().into_owned();
                let citations = values(part.annotations).into_iter().map(annotation::read).collect();
                self.parts.push(Part::new(PartKind::Text { text, citations }));
                self.logprobs.extend(logprobs(part.logprobs));
            }
            "refusal" => {
                let text = text(part.refusal).unwrap_or_default().into_owned();
                self.parts.push(Part::new(PartKind::Refusal(text)));
            }
            _ => {}
        }
    }

    fn call(
        &mut self,
        item: &Item<'_>,
        input: Option<&RawValue>,
        args: fn(String) -> Args,
    ) -> Result<(), AttemptError> {
        let name = some_text(item.name).ok_or_else(nameless)?.into_owned();
        let id = some_text(item.call_id).or_else(|| some_text(item.id)).map(Cow::into_owned);
        let ordinal = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        let id = id.unwrap_or_else(|| tool_ids::made(self.answer, ordinal));
        let args = args(text(input).unwrap_or_default().into_owned());
        self.parts.push(Part::new(PartKind::ToolCall(ToolCall { id, name, args })));
        Ok(())
    }
}

/// Complains of a call that names no tool.
pub(in crate::openai_responses) fn nameless() -> AttemptError {
    malformed("the provider's answer holds a call that names no tool")
}

/// Reads what the model thought; nothing when there is neither text nor state.
fn reasoning(item: &Item<'_>) -> Vec<Part> {
    let part = |text, form| Part::new(PartKind::Reasoning { text, form });
    let mut parts = Vec::new();
    parts.extend(joined(item.summary).map(|text| part(text, ReasoningForm::Summary)));
    parts.extend(joined(item.content).map(|text| part(text, ReasoningForm::Raw)));
    if let Some(state) = encrypted(item) {
        if parts.is_empty() {
            parts.push(part(String::new(), ReasoningForm::Hidden));
        }
        if let Some(last) = parts.last_mut() {
            last.state = Some(state);
        }
    }
    parts
}

/// Joins the texts of a summary or of reasoning; none when they say nothing.
pub(in crate::openai_responses) fn joined(parts: Option<&RawValue>) -> Option<String> {
    let parts = list::<ContentPart<'_>>(parts);
    let texts: Vec<_> = parts.iter().filter_map(|part| some_text(part.text)).collect();
    (!texts.is_empty()).then(|| texts.join("\n\n"))
}

/// Gives the encrypted content of a reasoning item.
pub(in crate::openai_responses) fn encrypted(item: &Item<'_>) -> Option<Opaque> {
    let payload = some_text(item.encrypted_content)?.into_owned();
    let item_id = some_text(item.id).map(Cow::into_owned);
    Some(Opaque::Native(State { item_id, ..State::native(OWN, payload) }))
}
