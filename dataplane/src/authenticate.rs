//! Decides whether a caller is served at all, and who it is.
//!
//! Where clients are configured, everyone proves by a key to be one of them: callers on this machine too, as what may
//! be used is counted by client. Without clients, callers on this machine are served, and everyone where the operator
//! says so. The key that a client sends is never passed on to a provider.

mod shown;

pub use shown::ShownKeys;

use crate::{
    live::{Callers, KeyFault},
    refusal::Refusal,
};
use cliproxy_domain::{
    Client, ClientName, ErrorClass, KeyHash, ModelName, Priority, ProviderName, Snapshot, WallTime,
};
use cliproxy_host::{Origin, Peer};
use std::sync::Arc;

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Serves callers that show no key: those on other machines too where there are no clients, and all of them where
    /// there are.
    pub allow_anonymous: bool,
}

/// A caller that is served.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The other end of its connection.
    pub peer: Peer,
    /// Who it is; none for an anonymous one.
    pub client: Option<Arc<Client>>,
    /// The key that proved it.
    pub key: Option<KeyHash>,
}

impl Caller {
    /// Gives a caller of whom nothing is known but where it is.
    pub fn anonymous(peer: Peer) -> Self {
        Self { peer, client: None, key: None }
    }

    /// Names the client.
    pub fn name(&self) -> Option<&ClientName> {
        self.client.as_ref().map(|client| &client.name)
    }

    /// Gives its class where there is not enough for all.
    pub fn priority(&self) -> Priority {
        self.client.as_ref().map(|client| client.priority).unwrap_or_default()
    }

    /// Tells whether it may ask for a model of this configuration, by the name that it asks for.
    pub fn may_ask_for(&self, model: &ModelName, snapshot: &Snapshot) -> bool {
        self.client.as_ref().is_none_or(|client| client.may_ask_for(model.as_str(), snapshot))
    }

    /// Tells whether a provider may serve it.
    pub fn may_use(&self, provider: &ProviderName) -> bool {
        self.providers().is_empty() || self.providers().contains(provider)
    }

    /// Gives the providers that may serve it; empty for all.
    pub fn providers(&self) -> &[ProviderName] {
        self.client.as_ref().map_or(&[], |client| &client.providers)
    }
}

/// Admits a caller by the keys that it shows. `callers` is none while there is no configuration: then nobody's key can
/// be told good or bad, so that whoever shows one is let on, to a node that serves nobody yet.
///
/// # Errors
/// 401 where a key is needed and none is shown, or the one that is shown is not good; 403 for a caller on another
/// machine where there are no clients and anonymous callers are not allowed.
pub fn authenticate(
    admission: Admission,
    origin: Origin,
    shown: &ShownKeys,
    callers: Option<&Callers>,
    now: WallTime,
) -> Result<Caller, Refusal> {
    let anonymous = Caller::anonymous(origin.peer);
    let Some(callers) = callers.filter(|callers| callers.are_named()) else {
        let undecided = callers.is_none() && !shown.is_empty();
        let served = undecided || admission.allow_anonymous || origin.is_here;
        return if served { Ok(anonymous) } else { Err(not_anonymous()) };
    };
    let mut fault = None;
    for hash in shown.hashes() {
        match callers.find(hash, now) {
            Ok(client) => {
                return Ok(Caller { client: Some(Arc::clone(client)), key: Some(*hash), ..anonymous });
            }
            // One that is no longer good says more than one that nobody knows.
            Err(KeyFault::Unknown) if fault.is_some() => {}
            Err(found) => fault = Some(found),
        }
    }
    match fault {
        Some(fault) => Err(refusal(&fault)),
        None if admission.allow_anonymous => Ok(anonymous),
        None => Err(Refusal::new(
            ErrorClass::Auth,
            "a key is needed: send one as `authorization: Bearer`, `x-api-key` or `x-goog-api-key`; whoever runs this \
             gateway gives keys out",
        )
        .with_code("missing_api_key")),
    }
}

fn not_anonymous() -> Refusal {
    Refusal::new(
        ErrorClass::Permission,
        "this gateway serves only callers on its own machine; to serve others, configure clients with keys, or set \
         server.allow_anonymous: true",
    )
    .with_code("anonymous_not_allowed")
}

fn refusal(fault: &KeyFault) -> Refusal {
    let (code, message) = match fault {
        KeyFault::Unknown => (
            "invalid_api_key",
            "the key is not one of this gateway's: check it, or ask whoever runs the gateway for one"
                .to_owned(),
        ),
        KeyFault::Expired { client, key, at } => (
            "expired_api_key",
            format!(
                "the key {key} of client {client} expired at {at}: ask whoever runs this gateway for a new one"
            ),
        ),
        KeyFault::Revoked { client, key } => (
            "revoked_api_key",
            format!(
                "the key {key} of client {client} was revoked: ask whoever runs this gateway for a new one"
            ),
        ),
    };
    Refusal::new(ErrorClass::Auth, message).with_code(code)
}

#[cfg(test)]
mod tests;
