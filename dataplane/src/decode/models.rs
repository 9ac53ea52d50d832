//! `GET /v1/models` and `/v1beta/models`: what a client of this dialect can ask for.

use crate::refusal::Refusal;
use bytes::Bytes;
use cliproxy_dialects::models::{ModelEntry, list, one};
use cliproxy_domain::{Dialect, ErrorClass, Snapshot};
use cliproxy_engine::known_models;

/// When the entries claim to have been made: the SDKs' types need a number, and no provider was asked.
const CREATED: i64 = 1_700_000_000;

/// Lists aliases and literal model names whose providers take `dialect`, or one of them by its id.
///
/// # Errors
/// 404 when `id` is not among them.
pub fn models(snapshot: &Snapshot, dialect: Dialect, id: Option<&str>) -> Result<Bytes, Refusal> {
    let known = known_models(snapshot);
    // An OpenAI client lists what it may ask for on either of OpenAI's APIs.
    let dialects: &[Dialect] = match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => &[Dialect::OpenAiChat, Dialect::OpenAiResponses],
        Dialect::Anthropic => &[Dialect::Anthropic],
        Dialect::Gemini => &[Dialect::Gemini],
    };
    let entries: Vec<_> = known
        .iter()
        .filter_map(|(name, providers)| {
            let owner = providers.iter().find(|provider| {
                snapshot.providers.get(*provider).is_some_and(|p| dialects.iter().any(|d| p.kind.speaks(*d)))
            })?;
            Some(ModelEntry { id: name.as_str(), owner: owner.as_str(), created: CREATED })
        })
        .collect();
    let Some(id) = id else { return Ok(list(dialect, &entries)) };
    let wanted = id.strip_prefix("models/").unwrap_or(id);
    entries.iter().find(|entry| entry.id == wanted).map(|entry| one(dialect, entry)).ok_or_else(|| {
        let shown: String = id.chars().take(100).collect();
        Refusal::new(ErrorClass::NotFound, format!("there is no model `{shown}`; list them without an id"))
    })
}
