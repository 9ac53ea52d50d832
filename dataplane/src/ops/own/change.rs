//! `POST /v0/operations/providers/{provider}/cooldown` and `…/recover` on a node that runs alone.

use super::{Asked, explain::not_configured};
use crate::ops::{Ops, answer::ApiError};
use bytes::Bytes;
use cliproxy_domain::{
    Scope,
    operate::{Body, Order, OrderError, Verb, Wanted},
    status::{ChangeStatus, Source},
};
use cliproxy_engine::status::{answer, word};
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Calls by name whose answers are remembered at most.
const REMEMBERED: usize = 1_000;

/// What calls with a name of their own were answered, the oldest first.
#[derive(Default)]
pub(in crate::ops) struct Remembered(Mutex<VecDeque<Call>>);

struct Call {
    id: String,
    call: String,
    answer: ChangeStatus,
}

/// Puts an operator's word in force on this node. A call whose name was heard before does nothing and is answered as
/// then.
///
/// # Errors
/// When what is wanted means nothing, and when the call's name stands for another call.
pub(super) fn change(
    ops: &Ops,
    verb: Verb,
    provider: &str,
    asked: &Asked<'_>,
) -> Result<ChangeStatus, ApiError> {
    let body = read(asked.headers, &asked.body)?;
    let known = ops.live.known().ok_or_else(not_configured)?;
    let order = Wanted::read(verb, body)?.order(verb, provider, &known.snapshot)?;
    let Some(id) = order.request_id.as_ref().filter(|_| !order.dry_run) else {
        return carry_out(ops, &order, asked);
    };
    // Held until it is carried out: two calls of one name are one, also when they come at once.
    let mut remembered = ops.remembered.0.lock();
    if let Some(before) = remembered.iter().find(|before| before.id == *id) {
        if before.call == order.call() {
            return Ok(before.answer.clone());
        }
        let message =
            format!("request_id {id:?} was given to another call; give each call a name of its own");
        return Err(ApiError::new(StatusCode::CONFLICT, "conflict", message));
    }
    let answer = carry_out(ops, &order, asked)?;
    if remembered.len() == REMEMBERED {
        remembered.pop_front();
    }
    remembered.push_back(Call { id: id.clone(), call: order.call(), answer: answer.clone() });
    Ok(answer)
}

fn carry_out(ops: &Ops, order: &Order, asked: &Asked<'_>) -> Result<ChangeStatus, ApiError> {
    let known = ops.live.known().ok_or_else(not_configured)?;
    let now = ops.clock.wall();
    let outlook = known.outlook();
    let provider = order.key.provider.as_str();
    let seen = outlook
        .provider(provider)
        .ok_or_else(|| ApiError::from(OrderError::unknown_provider(provider, &known.snapshot)))?;
    let word = word(order, seen, asked.actor, now);
    let status = ChangeStatus { total_nodes: 1, ..answer(order, seen, &word, Source::Node, now) };
    if order.dry_run {
        return Ok(status);
    }
    tracing::info!(actor = asked.actor, from = asked.from, subject = %word.key, until = %word.until,
        reason = order.reason, verb = order.verb.as_str(), "an operator spoke");
    ops.live.say(word, now);
    if order.verb == Verb::Recover && order.key.scope == Scope::Provider {
        ops.judge.reset(&order.key.provider, now);
    }
    Ok(ChangeStatus { applied_nodes: 1, ..status })
}

/// Reads a body of JSON. None at all is one without fields; JSON needs no `content-type`.
fn read(headers: &HeaderMap, body: &Bytes) -> Result<Body, ApiError> {
    if body.is_empty() {
        return Ok(Body::default());
    }
    if let Some(other) = other_type(headers) {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("content-type is {other:?}; send application/json, or no content-type"),
        ));
    }
    serde_json::from_slice(body).map_err(|error| OrderError::Body(error.to_string()).into())
}

/// Gives the content type when it is not that of JSON.
fn other_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.as_bytes();
    let name = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let shown = || String::from_utf8_lossy(value).chars().take(100).collect();
    (!name.eq_ignore_ascii_case(b"application/json")).then(shown)
}
