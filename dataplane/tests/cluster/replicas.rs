//! What a node does that has several replicas of a control plane to choose from.

use crate::{
    control::{Control, ENDPOINT, SPARE},
    network::MemoryNet,
    node::{Node, PausedClock, configuration, pass, until},
    provider::Provider,
};
use cliproxy_domain::{Health, HealthState, Hint};
use cliproxy_host::{Clock as _, MemoryDisk};
use std::time::{Duration, Instant};

/// One poll of a test.
const POLL: Duration = Duration::from_millis(10);

fn word(revision: u64) -> Hint {
    Hint::Health(Health {
        revision,
        provider: "a".into(),
        state: HealthState::Healthy,
        since: PausedClock.wall(),
        recovered: false,
        recoveries: 0,
        why: String::new(),
    })
}

/// Two replicas and a node that knows both.
struct Cluster {
    net: MemoryNet,
    /// Whom the node follows.
    first: Control,
    other: Control,
    /// Where the other one is.
    elsewhere: &'static str,
    node: Node,
}

impl Cluster {
    /// Starts them, and waits until the node follows one and keeps the other warm.
    async fn start() -> Self {
        let net = MemoryNet::default();
        let (control, spare) =
            (Control::new(&net, configuration(&["a"])), Control::spare(&net, configuration(&["a"])));
        control.begin();
        spare.begin();
        let node = Node::start(&net, &MemoryDisk::default(), &[ENDPOINT, SPARE], None).await;
        until("the configuration", || node.live.known().is_some()).await;
        until("a replica that stands by", || node.metric("cliproxy_node_standby_connected ") == 1).await;
        let (first, other, elsewhere) = match control.told().hellos.is_empty() {
            false => (control, spare, SPARE),
            true => (spare, control, ENDPOINT),
        };
        Self { net, first, other, elsewhere, node }
    }

    fn moves(&self, reason: &str) -> u64 {
        self.node.metric(&format!("cliproxy_node_moves_total{{reason=\"{reason}\"}} "))
    }

    fn losses(&self) -> u64 {
        self.node.metric("cliproxy_node_sessions_ended_total ")
    }

    async fn follows_the_other(&self) {
        until("the other replica", || !self.other.told().hellos.is_empty()).await;
        until("its word", || {
            self.other.say(&word(u64::MAX >> 24));
            self.node.health("a") == HealthState::Healthy
        })
        .await;
    }
}

fn after(begun: Instant) -> Duration {
    PausedClock.now() - begun
}

#[tokio::test(start_paused = true)]
async fn a_node_that_loses_its_replica_goes_on_with_the_other_at_once() {
    let cluster = Cluster::start().await;
    let begun = PausedClock.now();
    cluster.first.end();
    until("the other replica", || !cluster.other.told().hellos.is_empty()).await;
    assert!(after(begun) <= 2 * POLL, "it took {:?}", after(begun));
    cluster.follows_the_other().await;
    assert!(!cluster.node.live.is_cut_off());
    assert_eq!(cluster.losses(), 1);
    // The first is back, and stands by.
    cluster.first.begin();
    until("a replica that stands by", || cluster.node.metric("cliproxy_node_standby_connected ") == 1).await;
    cluster.node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_hangs_is_left_after_two_seconds() {
    let cluster = Cluster::start().await;
    let begun = PausedClock.now();
    cluster.first.mood(|mood| mood.hangs = true);
    until("the other replica", || !cluster.other.told().hellos.is_empty()).await;
    let took = after(begun);
    assert!(Duration::from_millis(1_400) < took && took < Duration::from_millis(2_200), "it took {took:?}");
    cluster.follows_the_other().await;
    assert!(!cluster.node.live.is_cut_off(), "going to another replica is no silence");
    cluster.node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_prefers_a_replica_whose_store_answers_and_stays_where_none_does() {
    let cluster = Cluster::start().await;
    cluster.first.mood(|mood| mood.storeless = true);
    cluster.other.mood(|mood| mood.storeless = true);
    pass(Duration::from_secs(30)).await;
    assert_eq!((cluster.moves("store"), cluster.losses()), (0, 0), "there is nothing better to have");
    until("a replica that stands by", || cluster.node.metric("cliproxy_node_standby_connected ") == 1).await;
    assert_eq!(cluster.first.told().closed, 0);
    cluster.other.mood(|mood| mood.storeless = false);
    cluster.follows_the_other().await;
    assert_eq!((cluster.moves("store"), cluster.losses()), (1, 0));
    until("the old stream's end", || cluster.first.told().closed == 1).await;
    cluster.node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_asked_to_go_is_welcomed_there_before_it_leaves_here() {
    let cluster = Cluster::start().await;
    cluster.other.mood(|mood| mood.holds = true);
    cluster.first.ask_to_go(&[cluster.elsewhere], false);
    pass(Duration::from_secs(1)).await;
    // It still hears what is said here.
    cluster.first.say(&word(5));
    until("the word", || cluster.node.health("a") == HealthState::Healthy).await;
    assert_eq!((cluster.first.told().closed, cluster.moves("told")), (0, 0));
    cluster.other.mood(|mood| mood.holds = false);
    until("the move", || cluster.moves("told") == 1).await;
    until("the old stream's end", || cluster.first.told().closed == 1).await;
    assert_eq!(cluster.losses(), 0);
    assert_eq!(cluster.node.metric("cliproxy_node_control_plane_connected "), 1);
    cluster.node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_go_where_it_is_asked_to_stays() {
    let cluster = Cluster::start().await;
    cluster.first.ask_to_go(&["http://nowhere:1"], false);
    cluster.first.ask_to_go(&["https://spare:1"], false);
    pass(Duration::from_secs(10)).await;
    assert_eq!((cluster.moves("told"), cluster.losses(), cluster.first.told().closed), (0, 0, 0));
    cluster.node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_leaves_a_replica_that_ends_as_soon_as_there_is_another() {
    let cluster = Cluster::start().await;
    cluster.other.end();
    until("that nobody stands by", || cluster.node.metric("cliproxy_node_standby_connected ") == 0).await;
    cluster.first.ask_to_go(&[], true);
    pass(Duration::from_secs(3)).await;
    assert_eq!(cluster.moves("leaving"), 0);
    cluster.other.begin();
    until("the move", || cluster.moves("leaving") == 1).await;
    assert_eq!(cluster.losses(), 0);
    cluster.node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_grows_old_is_opened_anew_where_there_is_only_one_replica() {
    let net = MemoryNet::default();
    let control = Control::new(&net, configuration(&["a"]));
    control.begin();
    let node = Node::start(&net, &MemoryDisk::default(), &[ENDPOINT], None).await;
    until("the configuration", || node.live.known().is_some()).await;
    control.ask_to_go(&[], false);
    until("the new stream", || control.told().hellos.len() == 2).await;
    until("the old stream's end", || control.told().closed == 1).await;
    assert_eq!(node.metric("cliproxy_node_sessions_ended_total "), 0);
    assert_eq!(control.told().hellos[1].have_config, 1, "it comes with what it has");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_asks_to_be_tried_later_is_tried_then() {
    let net = MemoryNet::default();
    let control = Control::new(&net, configuration(&["a"]));
    control.mood(|mood| mood.later_ms = Some(700));
    control.begin();
    let node = Node::start(&net, &MemoryDisk::default(), &[ENDPOINT], None).await;
    until("four tries", || control.told().hello_times.len() == 4).await;
    let times = control.told().hello_times;
    for (before, next) in times.iter().zip(&times[1..]) {
        let pause = *next - *before;
        assert!(Duration::from_millis(700) <= pause && pause < Duration::from_millis(720), "{pause:?}");
    }
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_addresses_of_one_replica_are_no_two_replicas() {
    let net = MemoryNet::default();
    let (one, same) =
        (Control::new(&net, configuration(&["a"])), Control::spare(&net, configuration(&["a"])));
    one.begin();
    same.begin();
    same.is_named("control");
    let node = Node::start(&net, &MemoryDisk::default(), &[ENDPOINT, SPARE], None).await;
    until("looks", || one.told().looks + same.told().looks >= 3).await;
    assert_eq!(node.metric("cliproxy_node_standby_connected "), 0);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_learns_of_other_replicas_from_the_one_that_it_knows() {
    let net = MemoryNet::default();
    let (control, spare) =
        (Control::new(&net, configuration(&["a"])), Control::spare(&net, configuration(&["a"])));
    control.mood(|mood| mood.others = vec![SPARE.to_owned()]);
    control.begin();
    spare.begin();
    let node = Node::start(&net, &MemoryDisk::default(), &[ENDPOINT], None).await;
    until("a replica that stands by", || node.metric("cliproxy_node_standby_connected ") == 1).await;
    control.end();
    until("the other replica", || !spare.told().hellos.is_empty()).await;
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn usage_that_was_acknowledged_and_lost_is_sent_again_to_whoever_lost_it() {
    let cluster = Cluster::start().await;
    let a = Provider::play(&cluster.net, "a");
    for calls in 1..=5 {
        assert_eq!(cluster.node.chat("a/m").await, 200, "{:?}", a.asked());
        until("the batch", || cluster.first.told().batches.len() == calls).await;
    }
    until("the acknowledgement", || cluster.node.metric("cliproxy_node_unacked_batches ") == 0).await;
    // The database that the other replica has took over without the last two.
    cluster.other.loses_usage_after(3);
    cluster.first.end();
    until("what was lost", || cluster.other.told().batches.len() >= 2).await;
    assert_eq!(cluster.other.told().batches, [(4, 1), (5, 1)]);
    assert_eq!(cluster.node.metric("cliproxy_node_batches_resent_total "), 2);
    until("the acknowledgement", || cluster.node.metric("cliproxy_node_unacked_batches ") == 0).await;
    cluster.node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_is_behind_is_sent_one_batch_of_everything_in_the_time_that_it_names() {
    let cluster = Cluster::start().await;
    let _a = Provider::play(&cluster.net, "a");
    cluster.first.mood(|mood| mood.slow_down_ms = 10_000);
    for _ in 0..30 {
        assert_eq!(cluster.node.chat("a/m").await, 200);
        pass(Duration::from_secs(1)).await;
    }
    let batches = cluster.first.told().batches;
    assert!((3..=5).contains(&batches.len()), "{batches:?}");
    // The last window goes at once when the node ends.
    let first = cluster.first.clone();
    cluster.node.stop().await;
    assert_eq!(first.told().batches.iter().map(|(_, calls)| calls).sum::<u64>(), 30);
}
