//! What comes down that this program does not know.

use crate::{
    control::{Control, ENDPOINT},
    network::MemoryNet,
    node::{Node, PausedClock, configuration, until},
};
use cliproxy_domain::{Health, HealthState, Hint};
use cliproxy_host::{Clock as _, MemoryDisk};
use cliproxy_proto::{convert::hints::to_wire, v1::Change};

#[tokio::test(start_paused = true)]
async fn kinds_that_are_not_known_are_skipped_and_listed_and_the_others_hold() {
    let net = MemoryNet::default();
    let control = Control::new(&net, configuration(&["a"]));
    control.begin();
    let node = Node::start(&net, &MemoryDisk::default(), &[ENDPOINT], None).await;
    until("the configuration", || node.live.known().is_some()).await;

    let now = PausedClock.wall();
    let health = Health {
        revision: 1,
        provider: "a".into(),
        state: HealthState::Healthy,
        since: now,
        recovered: false,
        recoveries: 0,
        why: String::new(),
    };
    let known = to_wire(&Hint::Health(health), now);
    let of_tomorrow = Change { kind: 99, key: "a".to_owned(), ..known.clone() };
    let spoilt = Change { body: vec![0xff].into(), ..known.clone() };
    control.send(vec![of_tomorrow, spoilt, known], 2);
    until("the acknowledgement", || control.told().acks.iter().any(|ack| ack.version == 2)).await;
    let acks = control.told().acks;
    let ack = acks.iter().find(|ack| ack.version == 2).expect("it is there");
    assert_eq!(ack.unsupported, [99]);
    assert_eq!(node.health("a"), HealthState::Healthy);
    assert_eq!(node.metric("cliproxy_node_hints_skipped_total "), 1);
    node.stop().await;
}
