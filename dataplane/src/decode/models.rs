//! `GET /v1/models` and `/v1beta/models`: what a client can ask for, in its dialect.

use crate::{authenticate::Caller, refusal::Refusal};
use bytes::Bytes;
use cliproxy_dialects::models::{ModelEntry, list, one};
use cliproxy_domain::{Dialect, ErrorClass, Snapshot};
use cliproxy_engine::known_models;

/// When the entries claim to have been made: the SDKs' types need a number, and no provider was asked.
const CREATED: i64 = 1_700_000_000;

/// Lists aliases and literal model names that the caller may ask for, or one of them by its id, whatever API their
/// providers speak.
///
/// # Errors
/// 404 when `id` is not among them.
pub fn models(
    snapshot: &Snapshot,
    caller: &Caller,
    dialect: Dialect,
    id: Option<&str>,
) -> Result<Bytes, Refusal> {
    let known = known_models(snapshot);
    let entries: Vec<_> = known
        .iter()
        .filter_map(|(name, providers)| {
            if !caller.may_ask_for(name, snapshot) {
                return None;
            }
            let owner = providers.iter().find(|provider| caller.may_use(provider))?;
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
