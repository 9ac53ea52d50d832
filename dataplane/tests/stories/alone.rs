//! A node that has no control plane.

use crate::{
    network::MemoryNet,
    node::{Node, in_turn, provider},
    script::{Script, document},
};
use cliproxy_domain::ProviderKind;
use cliproxy_host::{Clock as _, SystemClock};

const OK: &str = r#"{"id":"x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_reports_that_nobody_takes() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![document("200 OK", OK)]);
    let node = Node::start(&net, in_turn(vec![provider("a", ProviderKind::OpenAi)])).await;
    assert_eq!(node.ask("/v1/chat/completions", r#"{"model":"m"}"#).await.body, OK);
    let stopping = SystemClock.now();
    assert_eq!(node.stop().await, 0);
    assert_eq!((SystemClock.now() - stopping).as_millis(), 0);
}
