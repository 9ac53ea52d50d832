//! Telling the other replicas what this one's nodes said, and which nodes these are.

use super::{Replicas, split};
use cliproxy_domain::{NodeId, WallTime};
use cliproxy_proto::convert::replica::{Post, SeenNode};
use cliproxy_store::StoreError;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How often something is said at least, be it only that this replica is there.
const EVERY: Duration = Duration::from_secs(1);
/// How long what is urgent waits for more of it.
const URGENT: Duration = Duration::from_millis(20);
/// How long it is waited for more nodes that come, go or acknowledge something.
const NODES: Duration = Duration::from_millis(100);
/// How often all nodes are listed: a replica that missed a post is right again then.
const WHOLE: Duration = Duration::from_secs(10);
/// How long one try of a post may take, how soon the next one follows, and how many there are.
const PATIENCE: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(250);
const TRIES: u32 = 3;

/// What the others were told of the nodes.
#[derive(Default)]
struct Told {
    nodes: BTreeMap<NodeId, SeenNode>,
    /// When all of them were listed last; `None` when they are to be listed anew.
    whole: Option<Instant>,
    /// How many posts were numbered so far.
    posts: u64,
}

/// Why a post is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Tick,
    Urgent,
    Nodes,
    End,
}

/// Posts until `end`. From when this replica is about to end every post says so: its nodes go, and no more come, while
/// what those say that are still here is told as before.
pub(super) async fn run(replicas: &Replicas, end: &CancellationToken) {
    let (mut told, mut joined, mut leaving) = (Told::default(), true, false);
    let mut changes = replicas.state.nodes.watch();
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let cause = tokio::select! {
            biased;
            () = end.cancelled() => Cause::End,
            () = replicas.leaving.cancelled(), if !leaving => Cause::Urgent,
            () = replicas.state.outbox.is_urgent() => Cause::Urgent,
            () = replicas.wanted.whole.notified() => {
                told.whole = None;
                Cause::Urgent
            }
            _ = tick.tick() => Cause::Tick,
            // The sender is in the state.
            _ = changes.changed() => Cause::Nodes,
        };
        gather(replicas, cause, end).await;
        let mut post = told.difference(replicas);
        if cause == Cause::Nodes && !post.whole && post.nodes.is_empty() && post.gone.is_empty() {
            // What changed is of nodes that are connected elsewhere. That there are none is said when all are listed.
            continue;
        }
        leaving = cause == Cause::End || replicas.leaving.is_cancelled();
        (post.joined, post.leaving) = (joined, leaving);
        let dropped = replicas.state.outbox.take(&mut post);
        replicas.metrics.posts_dropped.inc_by(dropped);
        joined &= !send(replicas, post, &mut told).await;
        if cause == Cause::End {
            return;
        }
    }
}

/// Waits for what belongs into the same post.
async fn gather(replicas: &Replicas, cause: Cause, end: &CancellationToken) {
    let first = match cause {
        Cause::Tick | Cause::End => return,
        Cause::Urgent => URGENT,
        Cause::Nodes => NODES,
    };
    tokio::select! {
        biased;
        () = end.cancelled() => {}
        () = replicas.state.outbox.is_urgent(), if cause == Cause::Nodes => tokio::time::sleep(URGENT).await,
        () = tokio::time::sleep(first) => {}
    }
}

/// Sends a post; tells whether it was taken. What is not taken is dropped: ages grow, and the store has what counts. The
/// others miss its number.
async fn send(replicas: &Replicas, mut post: Post, told: &mut Told) -> bool {
    post.number = told.posts + 1;
    let parts = split::encoded(post, replicas.state.clock.wall());
    told.posts += parts.len() as u64;
    for part in parts {
        if let Err(error) = send_part(replicas, part).await {
            tracing::debug!(%error, "the other replicas could not be told");
            replicas.metrics.posts_dropped.inc();
            // They do not know which nodes these are.
            told.whole = None;
            return false;
        }
        replicas.metrics.posts.inc();
    }
    true
}

async fn send_part(replicas: &Replicas, part: Vec<u8>) -> Result<(), StoreError> {
    let mut tries = 1;
    loop {
        let sent = replicas.state.store.post(replicas.me.replica.clone(), part.clone());
        let late = || Err(StoreError::CommitUnknown("no answer in time".to_owned()));
        let answer = tokio::time::timeout(PATIENCE, sent).await.unwrap_or_else(|_| late());
        match answer {
            Ok(_) => return Ok(()),
            Err(error) => {
                replicas.metrics.store_errors.inc();
                // It may have been taken all the same: by its number the others hear it once.
                if tries == TRIES {
                    return Err(error);
                }
            }
        }
        tries += 1;
        tokio::time::sleep(AGAIN).await;
    }
}

impl Told {
    /// Begins a post with what this replica is, and what changed of its nodes since the last one.
    fn difference(&mut self, replicas: &Replicas) -> Post {
        let state = &replicas.state;
        let (now, ours) = (state.clock.now(), state.nodes.ours());
        let whole = self.whole.is_none_or(|last| now.saturating_duration_since(last) >= WHOLE);
        if whole {
            self.whole = Some(now);
        }
        let is_new = |(name, seen): &(&NodeId, &SeenNode)| whole || self.nodes.get(*name) != Some(*seen);
        let nodes = ours.iter().filter(is_new).map(|(_, seen)| seen.clone()).collect();
        let last_seen = |node: &NodeId| state.nodes.last_seen(node).unwrap_or_else(|| state.clock.wall());
        let gone = self.nodes.keys().filter(|node| !ours.contains_key(*node));
        let gone: Vec<(NodeId, WallTime)> = gone.map(|node| (node.clone(), last_seen(node))).collect();
        let term = state.leading.term(now);
        let post = Post {
            name: replicas.me.name.clone(),
            advertise_url: replicas.me.advertise_url.clone(),
            history: state.history(),
            config: state.offered(),
            leader_epoch: term.and_then(|term| term.fence).map_or(0, |fence| fence.epoch),
            node_count: u32::try_from(ours.len()).unwrap_or(u32::MAX),
            whole,
            nodes,
            gone,
            ..Post::default()
        };
        self.nodes = ours;
        post
    }
}
