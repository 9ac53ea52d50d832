//! `load_balancing: consistent_hash`: a session has the same key whichever node it comes to.

use super::*;
use cliproxy_testkit::{
    mock::{Key, MockProvider, Script},
    provider,
};
use serde_json::json;
use std::collections::BTreeMap;

const KEYS: [&str; 4] = ["one", "two", "three", "four"];
const SESSIONS: usize = 24;

fn upstream() -> MockProvider {
    let keys = KEYS.map(|name| Key { name: name.into(), key: format!("sk-{name}") }).to_vec();
    provider("up", Script { keys: Some(keys), ..Script::default() })
}

/// Gives each session's key, as the upstream saw it. A session is named by nothing but its opening turns.
async fn keys(up: &MockProvider, client: &Client, round: &str) -> BTreeMap<usize, String> {
    for session in 0..SESSIONS {
        let body = json!({"model": "up/m", "messages": [
            {"role": "system", "content": format!("you are number {session}")},
            {"role": "user", "content": "hello"},
        ]});
        let call = client.json("/v1/chat/completions", body.to_string());
        let answer = call.header("x-request-id", format!("{round}-{session}")).send().await;
        assert_eq!(answer.expect("an answer").status, 200);
    }
    let log = up.log();
    let of = |session: usize| {
        let id = format!("{round}-{session}");
        let entry = log.entries.iter().find(|entry| entry.request_id.as_deref() == Some(&id));
        entry.expect("the upstream was asked").key.to_string()
    };
    (0..SESSIONS).map(|session| (session, of(session))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_give_a_session_the_same_key_and_the_loss_of_one_moves_nothing() {
    let up = upstream();
    let [a, b] = addresses();
    let secrets = KEYS.map(|name| format!("sk-{name}"));
    let credentials: Vec<(&str, &str)> =
        KEYS.iter().zip(&secrets).map(|(name, key)| (*name, key.as_str())).collect();
    let peers = json!([format!("http://{a}"), format!("http://{b}")]);
    let failover = json!({"mode": "active_active", "load_balancing": "consistent_hash", "peers": peers});
    let config = Config::new()
        .provider("up", "openai", &up.base_url())
        .credentials("up", &credentials)
        .set(&["server", "failover"], failover);
    let mut first = node("a", &a, &config).ready().await;
    let second = node("b", &b, &config).ready().await;
    let at_first = keys(&up, &first.client().await, "first").await;
    let at_second = keys(&up, &second.client().await, "second").await;
    assert_eq!(at_first, at_second);
    for key in KEYS {
        assert!(at_first.values().any(|used| used == key), "{key} has no session: {at_first:?}");
    }
    first.kill9();
    assert_eq!(keys(&up, &second.client().await, "alone").await, at_first);
}
