//! How soon a node that loses its replica goes on with another, again and again, and what it makes of it.

use crate::{
    control::Control,
    network::MemoryNet,
    node::{Node, PausedClock, configuration, pass, until},
};
use cliproxy_host::{Clock as _, MemoryDisk};
use std::time::Duration;

/// Where replicas are.
const HOSTS: [&str; 3] = ["one", "two", "three"];
const ENDPOINTS: [&str; 3] = ["http://one:1", "http://two:1", "http://three:1"];

/// How often a replica is lost in each story: more often than pauses are doubled.
const ROUNDS: usize = 10;
/// How long it is away. Longer than a connection that merely stumbles.
const AWAY: Duration = Duration::from_secs(3);
/// A poll or two of the test, and the messages of a welcome.
const AT_ONCE: Duration = Duration::from_millis(50);
/// A ping that is not answered: each 250 ms one is sent, and has 650 ms.
const UNANSWERED: Duration = Duration::from_millis(900);
/// A place that says nothing has so long before the next is tried.
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// Some replicas and a node that knows them all.
struct Cluster {
    controls: Vec<Control>,
    node: Node,
}

impl Cluster {
    /// Starts them, and waits until one stands by.
    async fn start(replicas: usize) -> Self {
        let net = MemoryNet::default();
        let controls: Vec<Control> =
            HOSTS[..replicas].iter().map(|host| Control::at(host, &net, configuration(&["a"]))).collect();
        controls.iter().for_each(Control::begin);
        let node = Node::start(&net, &MemoryDisk::default(), &ENDPOINTS[..replicas], None).await;
        let cluster = Self { controls, node };
        cluster.stands_by().await;
        cluster
    }

    async fn stands_by(&self) {
        until("a replica that stands by", || self.node.metric("cliproxy_node_standby_connected ") == 1).await;
    }

    /// Gives how often the node said hello to each.
    fn hellos(&self) -> Vec<usize> {
        self.controls.iter().map(|control| control.told().hellos.len()).collect()
    }

    /// Gives whom the node said hello to, of whom it had not by then.
    fn greeted_since(&self, before: &[usize]) -> Option<usize> {
        self.hellos().iter().zip(before).position(|(now, before)| now > before)
    }

    /// Has a replica lost in a way; gives to whom the node goes, and how long that takes.
    async fn lose(&self, lose: impl FnOnce()) -> (usize, Duration) {
        let (before, begun) = (self.hellos(), PausedClock.now());
        lose();
        until("another replica", || self.greeted_since(&before).is_some()).await;
        let took = PausedClock.now() - begun;
        (self.greeted_since(&before).expect("it was waited for"), took)
    }

    fn is_patient(&self) -> bool {
        self.node.metric("cliproxy_node_patient ") == 1
    }
}

/// Has the replica that the node follows lost again and again, `between` two losses; none takes longer than `most`.
async fn lose_again_and_again(
    between: Duration,
    most: Duration,
    lose: impl Fn(&Control),
    regain: impl Fn(&Control),
) {
    let cluster = Cluster::start(2).await;
    let mut follows = cluster.greeted_since(&[0, 0]).expect("one of them");
    for round in 0..ROUNDS {
        let away = &cluster.controls[follows];
        let (to, took) = cluster.lose(|| lose(away)).await;
        assert!(to != follows && took <= most, "round {round}: from {follows} to {to} after {took:?}");
        follows = to;
        pass(AWAY).await;
        regain(away);
        pass(between).await;
    }
    assert!(!cluster.is_patient(), "those that were lost were away");
    cluster.node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_replicas_die_one_after_the_other_is_at_the_next_at_once_each_time() {
    for seconds in [0, 2, 8] {
        let between = Duration::from_secs(seconds);
        lose_again_and_again(between, AT_ONCE, Control::end, Control::begin).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_replicas_fall_silent_one_after_the_other_is_at_the_next_within_a_second_each_time() {
    for seconds in [0, 2, 8] {
        let (between, most) = (Duration::from_secs(seconds), UNANSWERED + NEXT_AFTER + AT_ONCE);
        let (silence, speak) =
            (|control: &Control| control.is_silent(true), |control: &Control| control.is_silent(false));
        lose_again_and_again(between, most, silence, speak).await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_of_three_that_fall_silent_together_keep_the_node_from_the_third_for_a_moment() {
    let cluster = Cluster::start(3).await;
    let follows = cluster.greeted_since(&[0, 0, 0]).expect("one of them");
    // Whoever stands by is looked at each second.
    pass(Duration::from_secs(5)).await;
    let others = (0..3).filter(|other| *other != follows);
    let warm = others.max_by_key(|other| cluster.controls[*other].told().looks).expect("one of them");
    let silence = || [follows, warm].into_iter().for_each(|which| cluster.controls[which].is_silent(true));
    let (to, took) = cluster.lose(silence).await;
    assert_eq!(to, 3 - follows - warm);
    assert!(took <= UNANSWERED + 2 * NEXT_AFTER + AT_ONCE, "{took:?}");
    cluster.node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_was_away_for_long_is_tried_at_once_when_the_other_is_lost() {
    let cluster = Cluster::start(2).await;
    let first = cluster.greeted_since(&[0, 0]).expect("one of them");
    let other = 1 - first;
    // By then it is tried every ten seconds at most.
    cluster.controls[other].end();
    cluster.controls[first].end();
    pass(Duration::from_secs(120)).await;
    cluster.controls[first].begin();
    until("the first", || cluster.hellos()[first] == 2).await;
    cluster.controls[other].begin();
    let (to, took) = cluster.lose(|| cluster.controls[first].end()).await;
    assert!(to == other && took <= AT_ONCE, "to {to} after {took:?}");
    cluster.node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_connections_stumble_becomes_patient() {
    let cluster = Cluster::start(2).await;
    for _ in 0..3 {
        assert!(!cluster.is_patient());
        // Both at once, and both are back before the node could go anywhere: the way is bad, or the node itself.
        cluster.controls.iter().for_each(|control| control.is_silent(true));
        let losses = cluster.node.metric("cliproxy_node_sessions_ended_total ");
        until("a loss", || cluster.node.metric("cliproxy_node_sessions_ended_total ") > losses).await;
        cluster.controls.iter().for_each(|control| control.is_silent(false));
        until("a connection", || cluster.node.metric("cliproxy_node_control_plane_connected ") == 1).await;
        cluster.stands_by().await;
        pass(Duration::from_secs(2)).await;
    }
    assert!(cluster.is_patient());
    pass(Duration::from_secs(11 * 60)).await;
    assert!(!cluster.is_patient());
    cluster.node.stop().await;
}
