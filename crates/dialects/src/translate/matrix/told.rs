//! What a translation says, as text: losses and refusals first, then the body.

use super::{envelopes, scene};
use crate::{
    fixtures::Fixture,
    form::{Losses, Refused},
    framing::Framing,
    translate::{Notes, StreamTranslator, decode_reply, encode_reply, encode_request, rework_reply},
};
use cliproxy_domain::{AttemptError, Dialect};
use serde_json::Value;
use std::{fmt::Write as _, sync::Arc};

/// Tells a request as a provider of another dialect gets it.
pub(super) fn request(recording: &Fixture, target: Dialect) -> String {
    let decoded = match scene::request(recording.dialect, &recording.bytes) {
        Ok(request) => request,
        Err(refused) => return refusal("not read", &refused),
    };
    match encode_request(&decoded, &scene::target(target)) {
        Err(refused) => refusal("refused", &refused),
        Ok((body, notes)) => noted(&notes) + &pretty(&body),
    }
}

/// Tells a whole answer as a client of another dialect gets it.
pub(super) fn reply(recording: &Fixture, client: Dialect) -> String {
    let mut reply = match decode_reply(recording.dialect, &recording.bytes) {
        Ok(reply) => reply,
        Err(error) => return failed(&error),
    };
    let context = scene::context(recording.dialect, client);
    rework_reply(&mut reply, &context);
    let mut losses = Losses::default();
    let body = encode_reply(&reply, &context, &mut losses);
    warnings(&losses) + &pretty(&body)
}

/// Tells a stream as a client of another dialect gets it.
pub(super) fn stream(recording: &Fixture, client: Dialect) -> String {
    let framing = if recording.name.ends_with(".sse") { Framing::Sse } else { Framing::JsonArray };
    let mut translator = StreamTranslator::new(framing, Arc::new(scene::context(recording.dialect, client)));
    let mut out = Vec::new();
    let fed = translator.feed(&recording.bytes, &mut out).map(drop);
    let ended = fed.and_then(|()| translator.finish(&mut out));
    let mut told = envelopes::opened(&String::from_utf8(out).unwrap()).replace('\r', "␍");
    if let Err(error) = ended {
        told.push_str(&failed(&error));
    }
    told
}

fn refusal(what: &str, refused: &Refused) -> String {
    let need = refused.need.map(|need| format!(" (needs {})", need.as_str())).unwrap_or_default();
    format!("{what}: {}{need}\n{}\n", refused.field, refused.message)
}

fn failed(error: &AttemptError) -> String {
    format!("failed: {:?}: {}\n", error.failure, error.message)
}

fn warnings(losses: &Losses) -> String {
    format!("warnings: {}\n", losses.header().as_deref().unwrap_or("none"))
}

/// Tells what the request left behind for its answer.
fn noted(notes: &Notes) -> String {
    let mut told = warnings(&notes.losses);
    if !notes.names.is_empty() {
        told.push_str("some tools have other names\n");
    }
    if !notes.free_tools.is_empty() {
        _ = writeln!(told, "free-form tools as functions: {:?}", notes.free_tools);
    }
    if notes.structured_tool {
        told.push_str("the schema is a forced call\n");
    }
    if !notes.stop.is_empty() {
        _ = writeln!(told, "stop texts to watch for: {:?}", notes.stop);
    }
    if let Some(version) = notes.anthropic_version {
        _ = writeln!(told, "anthropic-version: {version}");
    }
    told
}

fn pretty(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap();
    envelopes::opened(&serde_json::to_string_pretty(&value).unwrap()) + "\n"
}
