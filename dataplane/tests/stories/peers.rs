//! What nodes that all serve tell each other.

use crate::{
    network::MemoryNet,
    node::{Node, in_turn, provider},
    script::{Script, document},
};
use cliproxy_dataplane::{FailoverSettings, Way};
use cliproxy_domain::{Cooldown, CooldownCause, CooldownKey, Evidence, Permit, ProviderKind, WallTime};
use std::time::Duration;

/// What another node says of its health.
const WELL: &str = r#"{"status":"ok","node":"node-2","draining":false}"#;

#[tokio::test(start_paused = true)]
async fn more_rests_than_one_message_takes_are_told_in_several() {
    let net = MemoryNet::new();
    let peer = Script::play(&net, "peer", vec![document("200 OK", WELL), document("204 No Content", "")]);
    let equals = FailoverSettings {
        way: Way::Equals { peers: vec!["http://peer".to_owned()] },
        check_interval: Duration::from_secs(10),
        timeout: Duration::from_secs(30),
        shares_control_plane: false,
    };
    let providers = in_turn(vec![provider("up", ProviderKind::OpenAi)]);
    let node = Node::start_among(&net, providers, Some(equals)).await;
    let now = WallTime(1_793_534_400_000);
    for number in 0..4_001 {
        node.hears(Cooldown {
            key: CooldownKey::credential("up".into(), format!("key-{number}").as_str().into()),
            epoch: 0,
            round: 0,
            cleared: false,
            permit: Permit::default(),
            streak: 1,
            evidence: Evidence::default(),
            started_at: now,
            until: now.plus(Duration::from_secs(3_600)),
            cause: CooldownCause::RateLimit,
            source: "node-1".into(),
        });
    }
    let told = || peer.requests().iter().filter(|request| request.starts_with("POST /v0/peers/")).count();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(told(), 2);
    assert_eq!(node.metric("cliproxy_peer_hints_total{result=\"told\"} "), 2);
}
