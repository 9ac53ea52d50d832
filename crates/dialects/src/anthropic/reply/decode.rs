//! Reading a provider's whole answer.

use super::super::{decode::block, finish, usage};
use crate::{
    form::{Choice, Opaque, Part, PartKind, Refused, Reply, State},
    json::Fields,
    tool_ids,
    usage::Counts,
};
use cliproxy_domain::{AttemptError, Dialect, Failure, TokenUsage};
use serde_json::Value;

/// Reads an answer.
pub(crate) fn decode_reply(body: &[u8]) -> Result<Reply, AttemptError> {
    Fields::parse(body).and_then(reply).map_err(malformed)
}

/// The texts of [`Refused`] speak to clients; here they name the field alone.
fn malformed(refused: Refused) -> AttemptError {
    let message = if refused.field.is_empty() {
        "the provider's answer is not a JSON object".to_owned()
    } else {
        format!("the provider's answer has no sound `{}`", refused.field)
    };
    AttemptError::new(Failure::MalformedReply, message)
}

fn reply(mut fields: Fields) -> Result<Reply, Refused> {
    let id = fields.text("id")?;
    let model = fields.text("model")?;
    if fields.peek("content").is_none() {
        return Err(fields.missing("content"));
    }
    let mut parts = Vec::new();
    let mut calls = 0;
    for content in fields.objects("content")? {
        let mut part = block(content)?;
        own_state(&mut part);
        if let PartKind::ToolCall(call) = &mut part.kind {
            if call.id.is_empty() {
                call.id = tool_ids::made(id.as_deref().unwrap_or_default(), calls);
            }
            calls += 1;
        }
        parts.push(part);
    }
    let (counts, tier) = counted(fields.take("usage"));
    let details = fields.take("stop_details").and_then(|details| serde_json::from_value(details).ok());
    let sequence = fields.text("stop_sequence")?.map(Into::into);
    let reason = fields.text("stop_reason")?;
    let finish = finish::read(reason.as_deref().unwrap_or_default(), sequence, details, calls > 0);
    let choice = Choice { index: 0, parts, finish, logprobs: None };
    Ok(Reply { id, model, created: None, choices: vec![choice], usage: counts, tier, fingerprint: None })
}

/// What a provider signed is its own, even if that provider is a gateway like this one.
fn own_state(part: &mut Part) {
    let redacted = matches!(part.kind, PartKind::Reasoning { form: crate::form::ReasoningForm::Hidden, .. });
    if let Some(Opaque::Sealed(payload)) = &mut part.state {
        let payload = std::mem::take(payload);
        part.state = Some(Opaque::Native(State { redacted, ..State::native(Dialect::Anthropic, payload) }));
    }
}

fn counted(raw: Option<Value>) -> (Option<TokenUsage>, Option<crate::form::Tier>) {
    let Some(raw) = raw else { return (None, None) };
    let counts = Counts::read(Dialect::Anthropic, &raw.to_string()).filter(Counts::reported);
    let tier = raw.get("service_tier").and_then(Value::as_str).map(usage::read_tier);
    (counts.map(|counts| counts.total(Dialect::Anthropic, TokenUsage::default())), tier)
}
