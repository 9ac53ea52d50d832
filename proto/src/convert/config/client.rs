//! Clients and their keys.

use super::{
    super::{
        ConvertError, required,
        word::{self, Word},
    },
    limit,
};
use crate::v1;
use cliproxy_domain::{
    Client, ClientKey, ClientName, KeyHash, ModelPattern, ProviderName, Quota, Snapshot, WallTime,
};
use std::collections::BTreeSet;

pub(super) fn to_wire(client: &Client) -> v1::Client {
    v1::Client {
        name: client.name.to_string(),
        keys: client.keys.iter().map(key_to_wire).collect(),
        models: client.models.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
        providers: client.providers.iter().map(ToString::to_string).collect(),
        tags: client.tags.clone(),
        rate_limit: limit::rates_to_wire(&client.rate_limit),
        budgets: client.budgets.iter().map(limit::quota_to_wire).collect(),
        priority: client.priority.word().to_owned(),
    }
}

pub(super) fn from_wire(wire: &v1::Client) -> Result<Client, ConvertError> {
    let budgets: Vec<Quota> = wire.budgets.iter().map(limit::quota_from_wire).collect::<Result<_, _>>()?;
    let mut units = BTreeSet::new();
    if let Some(twice) = budgets.iter().find(|budget| !units.insert(budget.unit)) {
        return Err(ConvertError::Duplicate {
            field: "Client.budgets of unit",
            value: twice.unit.as_str().to_owned(),
        });
    }
    Ok(Client {
        name: ClientName::from(required("Client.name", &wire.name)?),
        keys: wire.keys.iter().map(key_from_wire).collect::<Result<_, _>>()?,
        models: wire.models.iter().map(ModelPattern::new).collect(),
        providers: wire.providers.iter().map(|name| ProviderName::from(name.as_str())).collect(),
        tags: wire.tags.clone(),
        rate_limit: limit::rates_from_wire(wire.rate_limit.as_ref())?,
        budgets,
        priority: word::read_or_default("Client.priority", &wire.priority)?,
    })
}

fn key_to_wire(key: &ClientKey) -> v1::ClientKey {
    v1::ClientKey { hash: key.hash.0.to_vec(), expires_at_ms: key.expires_at.map(|at| at.0) }
}

fn key_from_wire(wire: &v1::ClientKey) -> Result<ClientKey, ConvertError> {
    let hash = <[u8; 32]>::try_from(wire.hash.as_slice()).map_err(|_| ConvertError::OutOfRange {
        field: "the length of ClientKey.hash",
        value: i128::try_from(wire.hash.len()).unwrap_or(i128::MAX),
        expected: "32 bytes",
    })?;
    Ok(ClientKey { hash: KeyHash(hash), expires_at: wire.expires_at_ms.map(WallTime) })
}

/// Refuses a key that stands twice: nobody could tell who asks.
pub(super) fn check_keys(snapshot: &Snapshot) -> Result<(), ConvertError> {
    let mut seen = BTreeSet::new();
    for key in snapshot.clients.values().flat_map(|client| &client.keys) {
        if !seen.insert(key.hash) {
            let field = "the ClientKey named";
            return Err(ConvertError::Duplicate { field, value: key.hash.id().to_string() });
        }
    }
    Ok(())
}
