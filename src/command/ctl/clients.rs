//! `cliproxy ctl clients`: who may use the gateway, and by which keys.

use super::{
    api::{Api, encoded, read},
    table::{Table, amount, or_all, or_dash},
};
use crate::{
    cli::{Answered, Change, ClientKeys, ClientsCtl, CreateKey, RevokeKey, RotateKey},
    terminal,
};
use anyhow::Context as _;
use bytes::Bytes;
use cliproxy_domain::KeyId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Clients {
    clients: BTreeMap<String, Client>,
}

#[derive(Deserialize)]
struct Client {
    configured: bool,
    tags: BTreeMap<String, String>,
    models: Vec<String>,
    providers: Vec<String>,
    priority: String,
    budgets: Vec<Budget>,
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Budget {
    unit: String,
    limit: f64,
    used: f64,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    id: String,
    origin: String,
    state: String,
    created_at: Option<String>,
    expires_at: Option<String>,
    revoked_at: Option<String>,
}

#[derive(Deserialize)]
struct Changed {
    client: String,
    key: Option<String>,
    details: Key,
    applied_nodes: u32,
    total_nodes: u32,
    note: String,
}

/// What is asked for; what was not given is left out.
#[derive(Default, Serialize)]
struct Wanted<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overlap: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// Runs what the command line asks for.
pub(super) async fn run(command: &ClientsCtl) -> anyhow::Result<()> {
    match command {
        ClientsCtl::List(answered) => list(answered).await,
        ClientsCtl::Keys(arguments) => keys(arguments).await,
        ClientsCtl::CreateKey(CreateKey { client, expires_in, change }) => {
            let wanted = Wanted { expires_in: expires_in.as_deref(), ..Wanted::default() };
            post(&format!("clients/{}/keys", encoded(client)), change, wanted).await
        }
        ClientsCtl::RotateKey(RotateKey { client, id, overlap, expires_in, change }) => {
            let path = format!("clients/{}/keys/{}/rotate", encoded(client), known_by(id, client)?);
            let wanted = Wanted {
                expires_in: expires_in.as_deref(),
                overlap: overlap.as_deref(),
                ..Wanted::default()
            };
            post(&path, change, wanted).await
        }
        ClientsCtl::RevokeKey(RevokeKey { client, id, change }) => {
            let path = format!("clients/{}/keys/{}/revoke", encoded(client), known_by(id, client)?);
            post(&path, change, Wanted::default()).await
        }
    }
}

/// Reads the name of a key. What is none may be the key itself: it is neither shown nor sent.
fn known_by(id: &str, client: &str) -> anyhow::Result<KeyId> {
    KeyId::read(id).with_context(|| {
        format!(
            "the key is to be named by its id, the 12 hexadecimal digits that `cliproxy ctl clients keys {client}` lists; \
             what was given is none, and was not sent, as it may be the key itself (`printf %s KEY | sha256sum` begins \
             with its id)"
        )
    })
}

async fn list(answered: &Answered) -> anyhow::Result<()> {
    let answer = Api::new(&answered.asked)?.get("clients").await?;
    if answered.json {
        return raw(&answer);
    }
    let mut table = Table::new(&["client", "models", "providers", "priority", "used", "keys", "tags"]);
    for (name, client) in read::<Clients>(&answer)?.clients {
        let valid = client.keys.iter().filter(|key| key.state == "active").count();
        let budgets = client.budgets.iter().map(|budget| {
            let Budget { unit, limit, used } = budget;
            format!("{}/{} {unit}", amount(*used, unit), amount(*limit, unit))
        });
        let budgets: Vec<String> = budgets.collect();
        let tags: Vec<String> = client.tags.iter().map(|(tag, value)| format!("{tag}={value}")).collect();
        table.add(vec![
            if client.configured { name } else { format!("{name} (not configured)") },
            or_all(&client.models),
            or_all(&client.providers),
            client.priority,
            or_dash((!budgets.is_empty()).then(|| budgets.join(", "))),
            valid.to_string(),
            or_dash((!tags.is_empty()).then(|| tags.join(","))),
        ]);
    }
    if table.is_empty() {
        terminal::say("no client is configured; whoever is on the gateway's machine may use it");
    } else {
        terminal::say(&table.text());
    }
    Ok(())
}

async fn keys(ClientKeys { client, answered }: &ClientKeys) -> anyhow::Result<()> {
    let answer = Api::new(&answered.asked)?.get(&format!("clients/{}/keys", encoded(client))).await?;
    if answered.json {
        return raw(&answer);
    }
    let mut table = Table::new(&["key", "state", "origin", "created", "expires", "revoked"]);
    for key in read::<Keys>(&answer)?.keys {
        let Key { id, origin, state, created_at, expires_at, revoked_at } = key;
        table.add(vec![
            id,
            state,
            origin,
            or_dash(created_at),
            expires_at.unwrap_or_else(|| "never".to_owned()),
            or_dash(revoked_at),
        ]);
    }
    if table.is_empty() {
        terminal::say(&format!("client {client} has no key; make one with create-key"));
    } else {
        terminal::say(&table.text());
    }
    Ok(())
}

/// Asks for a change, and shows what came of it: a key alone on the standard output, the rest beside it.
async fn post(path: &str, change: &Change, wanted: Wanted<'_>) -> anyhow::Result<()> {
    let wanted =
        Wanted { reason: change.reason.as_deref(), request_id: change.request_id.as_deref(), ..wanted };
    let answer = Api::new(&change.answered.asked)?.post(path, &wanted).await?;
    if change.answered.json {
        return raw(&answer);
    }
    let Changed { client, key, details, applied_nodes, total_nodes, note } = read(&answer)?;
    let state = state_of(&details);
    terminal::note(&format!(
        "key {} of client {client} is {state}; {applied_nodes} of {total_nodes} connected nodes know",
        details.id
    ));
    terminal::note(&note);
    if let Some(key) = key {
        terminal::say(&key);
    }
    Ok(())
}

/// Tells whether a key is valid, and until when. Only one that is valid has an end to tell: a revoked one stays so.
fn state_of(key: &Key) -> String {
    match &key.expires_at {
        Some(end) if key.state == "active" => format!("active until {end}"),
        _ => key.state.clone(),
    }
}

/// Prints an answer as it came.
pub(super) fn raw(answer: &Bytes) -> anyhow::Result<()> {
    terminal::say(String::from_utf8_lossy(answer).trim_end());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_place_of_its_id_is_neither_sent_nor_shown() {
        for key in ["cpk_tjAv3-secret", "sk-of-web", "0123456789AB"] {
            let refused = known_by(key, "web").unwrap_err().to_string();
            assert!(refused.contains("`cliproxy ctl clients keys web` lists"), "{refused}");
            assert!(!refused.contains(key), "{refused}");
        }
        assert_eq!(known_by("0123456789ab", "web").unwrap().0, "0123456789ab");
    }

    #[test]
    fn only_a_valid_key_has_an_end_to_tell() {
        let key = |state: &str| {
            let key = format!(
                r#"{{"id": "0", "origin": "operator", "state": "{state}", "expires_at": "2027-02-20"}}"#
            );
            state_of(&read(&key.into()).unwrap())
        };
        assert_eq!(
            (key("active"), key("revoked")),
            ("active until 2027-02-20".to_owned(), "revoked".to_owned())
        );
    }
}
