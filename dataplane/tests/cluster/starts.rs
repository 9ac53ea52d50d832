//! How a node starts: with what it has, and without what it died of.

use crate::{
    control::{Control, ENDPOINT},
    network::MemoryNet,
    node::{Node, configuration, pass, until},
};
use cliproxy_dataplane::Offered;
use cliproxy_domain::{
    Client, ClientKey, ConfigId, Hint, HistoryId, KeyHash, KeyRecord, Priority, RateLimits, Snapshot,
    WallTime,
};
use cliproxy_host::MemoryDisk;
use cliproxy_proto::{
    convert::hints::to_wire,
    v1::{Line, SnapshotChunk},
};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

fn config(node: &Node) -> u64 {
    node.live.known().map_or(0, |known| known.config.0)
}

/// Starts a node and waits until it has put a configuration in force.
async fn started(net: &MemoryNet, disk: &MemoryDisk, wanted: u64) -> Node {
    let node = Node::start(net, disk, &[ENDPOINT], None).await;
    until("the configuration", || config(&node) == wanted).await;
    node
}

/// Has a node take configurations 1 and 2, and live with the first.
async fn two_configurations(net: &MemoryNet, disk: &MemoryDisk) -> Control {
    let control = Control::new(net, configuration(&["a"]));
    control.begin();
    started(net, disk, 1).await.stop().await;
    control.configure_next(configuration(&["a", "b"]));
    control
}

#[tokio::test(start_paused = true)]
async fn a_node_that_died_three_times_of_a_configuration_starts_from_the_one_before_and_says_so() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let control = two_configurations(&net, &disk).await;
    for _ in 0..3 {
        let node = started(&net, &disk, 2).await;
        // Long enough to be saved, and not to be taken for alive.
        pass(Duration::from_secs(5)).await;
        node.die();
    }
    control.end();
    let node = Node::start(&net, &disk, &[ENDPOINT], None).await;
    assert_eq!(config(&node), 1);
    control.begin();
    until("the hello", || control.told().hellos.iter().any(|hello| hello.crash_looped_config == 2)).await;
    // A control plane of an older program sends it all the same.
    until("the refusal", || node.metric("cliproxy_node_configs_refused_total ") == 1).await;
    assert_eq!(config(&node), 1);
    control.configure_next(configuration(&["a", "b", "c"]));
    control.end();
    control.begin();
    until("the next configuration", || config(&node) == 3).await;
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_proved_itself_is_not_sent_back_by_kills_from_outside() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let _control = two_configurations(&net, &disk).await;
    let node = started(&net, &disk, 2).await;
    pass(Duration::from_secs(61)).await;
    node.die();
    for _ in 0..5 {
        let node = started(&net, &disk, 2).await;
        pass(Duration::from_secs(5)).await;
        node.die();
    }
    assert_eq!(config(&Node::start(&net, &disk, &[ENDPOINT], None).await), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_node_left_alone_it_takes_again_after_a_while_and_at_once_after_an_end_in_order() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let control = two_configurations(&net, &disk).await;
    let dies_three_times = async || {
        for _ in 0..3 {
            let node = started(&net, &disk, 2).await;
            pass(Duration::from_secs(5)).await;
            node.die();
        }
    };
    dies_three_times().await;
    let node = started(&net, &disk, 1).await;
    until("the hello", || control.told().hellos.iter().any(|hello| hello.crash_looped_config == 2)).await;
    let again_in = control.told().hellos.last().unwrap().crash_looped_again_ms;
    assert!((280_000..=300_000).contains(&again_in), "{again_in}");
    assert!(
        control
            .told()
            .hellos
            .iter()
            .filter(|hello| hello.have_config == 2)
            .all(|hello| hello.crash_looped_config == 0),
        "whoever runs it does not say that it died of it"
    );
    node.stop().await;
    let node = started(&net, &disk, 2).await;
    node.die();
    let node = started(&net, &disk, 1).await;
    // Twice as long this time; a control plane offers it again when the node takes it.
    pass(Duration::from_secs(601)).await;
    control.end();
    control.begin();
    until("the configuration", || config(&node) == 2).await;
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_killed_after_a_minute_or_ends_in_order_did_not_die_of_its_configuration() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let _control = two_configurations(&net, &disk).await;
    for round in 0..6 {
        let node = started(&net, &disk, 2).await;
        if round % 2 == 0 {
            pass(Duration::from_secs(61)).await;
            node.die();
        } else {
            node.stop().await;
        }
    }
    assert_eq!(config(&Node::start(&net, &disk, &[ENDPOINT], None).await), 2);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_no_older_configuration_goes_on_with_the_one_that_it_has() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let control = Control::new(&net, configuration(&["a"]));
    control.begin();
    for _ in 0..5 {
        let node = started(&net, &disk, 1).await;
        pass(Duration::from_secs(5)).await;
        node.die();
    }
    control.end();
    assert_eq!(config(&Node::start(&net, &disk, &[ENDPOINT], None).await), 1);
}

fn offered(config: u64, names: &[&str]) -> Option<Offered> {
    Some(Offered {
        history: HistoryId("first".into()),
        config: ConfigId(config),
        snapshot: configuration(names),
    })
}

#[tokio::test(start_paused = true)]
async fn a_node_in_one_process_with_its_control_plane_serves_nothing_older_than_that_one_offers() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let control = two_configurations(&net, &disk).await;
    let node = Node::start_with(&net, &disk, &[ENDPOINT], None, offered(2, &["a", "b"])).await;
    assert_eq!(config(&node), 2, "before it heard anybody");
    until("the hello", || control.told().hellos.len() == 2).await;
    let hello = control.told().hellos[1].clone();
    assert_eq!((hello.have_config, hello.history_id.as_str()), (2, "first"), "it is not sent again");
    assert_eq!(node.metric("cliproxy_node_config_version "), 2);
    node.stop().await;
    // The next start has it from the disk, with whatever it had before.
    control.end();
    let node = Node::start_with(&net, &disk, &[ENDPOINT], None, offered(1, &["a"])).await;
    assert_eq!(config(&node), 2, "and nobody is sent back");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_dies_of_what_its_own_control_plane_offers_starts_from_the_one_before() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let _control = two_configurations(&net, &disk).await;
    for _ in 0..3 {
        let node = Node::start_with(&net, &disk, &[ENDPOINT], None, offered(2, &["a", "b"])).await;
        assert_eq!(config(&node), 2);
        node.die();
    }
    let node = Node::start_with(&net, &disk, &[ENDPOINT], None, offered(2, &["a", "b"])).await;
    assert_eq!(config(&node), 1);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_full_disk_did_not_take_is_saved_once_there_is_room() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let control = Control::new(&net, configuration(&["a"]));
    control.begin();
    let node = started(&net, &disk, 1).await;
    pass(Duration::from_secs(5)).await;
    disk.fill(true);
    control.configure_next(configuration(&["a", "b"]));
    control.end();
    control.begin();
    until("the next configuration, disk or no disk", || config(&node) == 2).await;
    pass(Duration::from_secs(30)).await;
    disk.fill(false);
    // Nothing else changes meanwhile.
    pass(Duration::from_secs(30)).await;
    node.die();
    control.end();
    assert_eq!(config(&Node::start(&net, &disk, &[ENDPOINT], None).await), 2);
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_is_damaged_on_its_way_leaves_the_old_one_serving_and_is_asked_for_again() {
    let damages: [fn(&mut SnapshotChunk); 5] = [
        |chunk| chunk.hash ^= 1,
        |chunk| drop(chunk.changes.pop()),
        |chunk| chunk.changes.iter_mut().for_each(|change| change.body.truncate(change.body.len() / 2)),
        |chunk| chunk.changes.iter_mut().for_each(|change| change.kind = 9_999),
        |chunk| chunk.count = u32::MAX,
    ];
    for damage in damages {
        let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
        let control = Control::new(&net, configuration(&["a"]));
        control.begin();
        let node = started(&net, &disk, 1).await;
        control.configure_next(configuration(&["a", "b"]));
        control.mood(|mood| mood.damages = Some(damage));
        control.end();
        control.begin();
        let before = control.told().hellos.len();
        until("further tries", || control.told().hellos.len() > before + 3).await;
        assert_eq!(config(&node), 1);
        assert_eq!(node.live.known().map(|known| known.snapshot.providers.len()), Some(1));
        control.mood(|mood| mood.damages = None);
        until("the sound one", || config(&node) == 2).await;
        node.stop().await;
    }
}

/// A configuration with a client whose key is `key-of-ci`.
fn with_client() -> Snapshot {
    let hash = KeyHash(Sha256::digest("key-of-ci").into());
    let client = Client {
        name: "ci".into(),
        keys: vec![ClientKey { hash, expires_at: None }],
        models: Vec::new(),
        providers: Vec::new(),
        tags: Default::default(),
        rate_limit: RateLimits::default(),
        budgets: Vec::new(),
        priority: Priority::Normal,
    };
    let clients = [(client.name.clone(), client)].into();
    Snapshot { clients, ..configuration(&["a"]) }
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_end_was_acknowledged_is_refused_by_a_node_that_was_killed_then_and_starts_alone() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let control = Control::new(&net, with_client());
    control.begin();
    let node = started(&net, &disk, 1).await;
    let lists = async |node: &Node| node.request("GET", "/v1/models?key=key-of-ci", "").await.0;
    assert_eq!(lists(&node).await, 200);
    pass(Duration::from_secs(2)).await;
    let hash = KeyHash(Sha256::digest("key-of-ci").into());
    let revoked = KeyRecord {
        revision: 1,
        id: hash.id(),
        client: "ci".into(),
        hash,
        created_at: None,
        expires_at: None,
        revoked_at: Some(WallTime(1_800_000_000_000)),
        said_by: "control".into(),
    };
    control.send(vec![to_wire(&Hint::ClientKey(revoked), WallTime(1_800_000_000_000))], 2);
    let of_hints = |line: i32, version| (line, version) == (Line::Hint.into(), 2);
    until("the acknowledgement", || control.told().acks.iter().any(|ack| of_hints(ack.line, ack.version)))
        .await;
    node.die();
    control.end();
    let node = started(&net, &disk, 1).await;
    assert_eq!(lists(&node).await, 401);
    node.stop().await;
}
