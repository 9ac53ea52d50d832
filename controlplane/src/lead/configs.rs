//! What a new configuration changes in what is known.

use super::Lead;
use crate::state::ActiveConfig;
use cliproxy_domain::{CredentialName, ProviderName};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

/// The hashes of all keys, so that no key is kept longer than its configuration.
type Keys = BTreeMap<(ProviderName, CredentialName), [u8; 32]>;

/// Runs until `end`.
pub(super) async fn run(lead: &Lead, end: &CancellationToken) {
    let mut configs = lead.state.config.subscribe();
    let mut before = Keys::new();
    loop {
        let active = configs.borrow_and_update().clone();
        if let Some(active) = active {
            let keys = keys(&active);
            lead.decide.keep_configured();
            for (provider, credential) in changed(&before, &keys) {
                lead.decide.on_key_changed(provider, credential).await;
            }
            before = keys;
        }
        tokio::select! {
            () = end.cancelled() => return,
            changed = configs.changed() => if changed.is_err() { return },
        }
    }
}

fn keys(active: &ActiveConfig) -> Keys {
    let of_provider = |provider: &cliproxy_domain::Provider| {
        let name = provider.name.clone();
        provider
            .credentials
            .iter()
            .map(move |credential| {
                let hash = Sha256::digest(credential.api_key.expose()).into();
                ((name.clone(), credential.name.clone()), hash)
            })
            .collect::<Vec<_>>()
    };
    active.snapshot.providers.values().flat_map(of_provider).collect()
}

/// Gives the credentials that have another key than before.
fn changed<'a>(
    before: &'a Keys,
    now: &'a Keys,
) -> impl Iterator<Item = (&'a ProviderName, &'a CredentialName)> {
    let differs = |(name, hash): &(&(ProviderName, CredentialName), &[u8; 32])| {
        before.get(*name).is_some_and(|known| known != *hash)
    };
    now.iter().filter(differs).map(|((provider, credential), _)| (provider, credential))
}
