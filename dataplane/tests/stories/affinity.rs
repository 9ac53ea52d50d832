//! A session stays on one credential, so that the provider's prompt cache serves it.

use crate::{
    cooldown::pass,
    network::MemoryNet,
    node::{Answer, Node, in_turn, post, with_keys},
    script::{CHAT, Script, chat, limited},
};
use std::collections::BTreeSet;

const KEYS: [&str; 4] = ["k1", "k2", "k3", "k4"];

/// Asks in a session that a field of the body names.
async fn in_session(node: &Node, session: &str) -> Answer {
    node.ask("/v1/chat/completions", &format!(r#"{{"model":"m","user":"{session}"}}"#)).await
}

/// Gives the keys that were used since `from`.
fn used(script: &Script, from: usize) -> BTreeSet<String> {
    let key = |request: &String| {
        let line = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
        line.expect("a key").to_owned()
    };
    script.requests()[from..].iter().map(key).collect()
}

async fn node() -> (Node, Script) {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![chat()]);
    (Node::start(&net, in_turn(vec![with_keys("a", &KEYS)])).await, script)
}

#[tokio::test(start_paused = true)]
async fn a_session_stays_on_one_key_and_sessions_spread_over_all() {
    let (node, script) = node().await;
    let mut all = BTreeSet::new();
    for session in 0..40 {
        let from = script.requests().len();
        for _ in 0..5 {
            assert_eq!(in_session(&node, &format!("s-{session}")).await.body, CHAT);
        }
        let own = used(&script, from);
        assert_eq!(own.len(), 1, "{own:?}");
        all.extend(own);
    }
    assert_eq!(all.len(), KEYS.len());
}

#[tokio::test(start_paused = true)]
async fn a_session_is_the_same_by_header_and_by_field() {
    let (node, script) = node().await;
    for name in ["x-session-id", "session_id"] {
        let mut request = post("/v1/chat/completions", r#"{"model":"m"}"#);
        request.headers_mut().insert(name, "s-7".parse().expect("a value"));
        assert_eq!(Answer::read(node.open(request).await).await.body, CHAT);
    }
    in_session(&node, "s-7").await;
    assert_eq!(used(&script, 0).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_moves_while_its_key_rests_and_comes_back_after() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![limited(60), chat()]);
    let node = Node::start(&net, in_turn(vec![with_keys("a", &KEYS)])).await;
    assert_eq!(in_session(&node, "s").await.body, CHAT);
    let own = script.requests()[..1].to_vec();
    let first = KEYS.iter().find(|key| own[0].contains(&format!("Bearer {key}\r\n"))).expect("a key");
    let from = script.requests().len();
    for _ in 0..5 {
        assert_eq!(in_session(&node, "s").await.body, CHAT);
    }
    let meanwhile = used(&script, from);
    assert!(meanwhile.len() == 1 && !meanwhile.contains(*first), "{meanwhile:?} instead of {first}");
    pass(61).await;
    in_session(&node, "s").await;
    pass(11).await;
    let from = script.requests().len();
    for _ in 0..5 {
        in_session(&node, "s").await;
    }
    assert_eq!(used(&script, from), BTreeSet::from([(*first).to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn where_it_is_switched_off_requests_of_a_session_take_turns() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![chat()]);
    let mut snapshot = in_turn(vec![with_keys("a", &KEYS)]);
    snapshot.policy.session_affinity = cliproxy_domain::SessionAffinity::Off;
    let node = Node::start(&net, snapshot).await;
    for _ in 0..8 {
        in_session(&node, "s").await;
    }
    assert_eq!(used(&script, 0).len(), KEYS.len());
}
