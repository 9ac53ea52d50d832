//! Clients and their keys.

use super::{super::word::Word, limits::budget};
use crate::v1;
use cliproxy_domain::{
    Secret, WallTime,
    status::{
        ClientKeyStatus, ClientKeysStatus, ClientStatus, ClientsStatus, KeyChangeStatus, KeyOrigin, KeyState,
        RateLimitStatus,
    },
};

/// Turns the clients into their message.
pub fn clients_to_wire(status: &ClientsStatus) -> v1::ListClientsResponse {
    v1::ListClientsResponse {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        clients: status.clients.iter().map(|(name, status)| (name.to_string(), client(status))).collect(),
    }
}

/// Turns a client's keys into their message.
pub fn client_keys_to_wire(status: &ClientKeysStatus) -> v1::ListClientKeysResponse {
    v1::ListClientKeysResponse {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        client: status.client.to_string(),
        keys: status.keys.iter().map(key).collect(),
    }
}

/// Turns a change of a client's keys into its message, with the key where one was made.
pub fn key_change_to_wire(status: &KeyChangeStatus) -> v1::ClientKeyChange {
    v1::ClientKeyChange {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        client: status.client.to_string(),
        key: status.key.as_ref().map(Secret::expose).map(str::to_owned),
        details: Some(key(&status.details)),
        replaces: status.replaces.as_ref().map(key),
        hint_version: status.hint_version.0,
        applied_nodes: status.applied_nodes,
        total_nodes: status.total_nodes,
        note: status.note.clone(),
    }
}

fn client(status: &ClientStatus) -> v1::ClientStatus {
    v1::ClientStatus {
        configured: status.configured,
        tags: status.tags.clone(),
        models: status.models.clone(),
        providers: status.providers.iter().map(ToString::to_string).collect(),
        priority: status.priority.as_str().to_owned(),
        rate_limit: status.rate_limit.as_ref().map(rate_limit),
        budgets: status.budgets.iter().map(budget).collect(),
        keys: status.keys.iter().map(key).collect(),
    }
}

fn rate_limit(status: &RateLimitStatus) -> v1::ClientRateLimit {
    v1::ClientRateLimit {
        requests_per_minute: status.requests_per_minute,
        tokens_per_minute: status.tokens_per_minute,
        concurrent_requests: status.concurrent_requests,
        on_loss: status.on_loss.as_str().to_owned(),
    }
}

fn key(status: &ClientKeyStatus) -> v1::ClientKeyStatus {
    let ms = |at: Option<WallTime>| at.map(|at| at.0);
    v1::ClientKeyStatus {
        id: status.id.to_string(),
        origin: match status.origin {
            KeyOrigin::Configuration => "configuration",
            KeyOrigin::Operator => "operator",
        }
        .to_owned(),
        state: match status.state {
            KeyState::Active => "active",
            KeyState::Expired => "expired",
            KeyState::Revoked => "revoked",
        }
        .to_owned(),
        created_at_ms: ms(status.created_at),
        expires_at_ms: ms(status.expires_at),
        revoked_at_ms: ms(status.revoked_at),
    }
}
