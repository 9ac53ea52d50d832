//! Which other replicas there are.

use crate::state::fleet::Other;
use cliproxy_domain::ReplicaId;
use cliproxy_proto::convert::replica::Post;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// How long a replica that says nothing counts as there: it says something each second.
const SILENCE: Duration = Duration::from_secs(3);

/// How long the number of a replica's last post is remembered: longer than any post can be on its way.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// The other replicas that were heard of lately.
#[derive(Default)]
pub(super) struct Peers {
    there: BTreeMap<ReplicaId, Peer>,
    /// The number of each one's last post, and when it was read; also of those that are gone.
    numbers: BTreeMap<ReplicaId, (u64, Instant)>,
}

/// What a post's number says of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// It is the next one, the first that is read, or has none.
    Next,
    /// It was read before.
    Again,
    /// Posts before it were lost.
    AfterLost,
}

struct Peer {
    name: String,
    heard: Instant,
    other: Other,
}

/// What a post says of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    New,
    Known,
    /// It is about to end, and says so for the first time.
    Leaves,
    /// It said so before, or was never heard of.
    Left,
}

impl Peers {
    /// Notes the number of a post that was read at `now`.
    pub(super) fn order(&mut self, replica: &ReplicaId, number: u64, now: Instant) -> Order {
        if number == 0 {
            return Order::Next;
        }
        let last = self.numbers.get(replica).map(|(last, _)| *last);
        if last.is_some_and(|last| number <= last) {
            return Order::Again;
        }
        self.numbers.insert(replica.clone(), (number, now));
        if last.is_some_and(|last| number > last + 1) { Order::AfterLost } else { Order::Next }
    }

    /// Notes a post that was read at `now`.
    pub(super) fn heard(&mut self, replica: &ReplicaId, post: &Post, now: Instant) -> Sender {
        if post.leaving {
            if self.there.remove(replica).is_none() {
                return Sender::Left;
            }
            tracing::info!(replica = post.name, "another replica of the control plane goes");
            return Sender::Leaves;
        }
        let other = Other { advertise_url: post.advertise_url.clone(), nodes: post.node_count };
        let peer = Peer { name: post.name.clone(), heard: now, other };
        if self.there.insert(replica.clone(), peer).is_some() {
            return Sender::Known;
        }
        tracing::info!(replica = post.name, "another replica of the control plane is there");
        Sender::New
    }

    /// Notes a post of before the start: its sender may be there still.
    pub(super) fn heard_before(&mut self, replica: &ReplicaId, post: &Post, now: Instant) {
        if post.leaving {
            self.there.remove(replica);
        } else {
            let peer =
                Peer { name: post.name.clone(), heard: now, other: Other { advertise_url: None, nodes: 0 } };
            self.there.insert(replica.clone(), peer);
        }
    }

    /// Forgets replicas that were silent for long between `from` and `to`, while they could be heard, and gives them.
    pub(super) fn forget_silent(&mut self, from: Instant, to: Instant) -> Vec<ReplicaId> {
        self.numbers.retain(|_, (_, read)| to.saturating_duration_since(*read) < REMEMBERED);
        let is_silent = |peer: &Peer| to.saturating_duration_since(peer.heard.max(from)) > SILENCE;
        let silent: Vec<ReplicaId> = self
            .there
            .iter()
            .filter(|(_, peer)| is_silent(peer))
            .map(|(replica, _)| replica.clone())
            .collect();
        for replica in &silent {
            if let Some(peer) = self.there.remove(replica) {
                tracing::warn!(replica = peer.name, "another replica of the control plane is silent");
            }
        }
        silent
    }

    /// Gives who they are.
    pub(super) fn replicas(&self) -> BTreeSet<ReplicaId> {
        self.there.keys().cloned().collect()
    }

    /// Gives the others.
    pub(super) fn others(&self) -> Vec<Other> {
        self.there.values().map(|peer| peer.other.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_host::{Clock, SystemClock};

    #[test]
    fn a_replica_is_there_until_it_goes_or_has_been_silent_for_three_seconds() {
        let (mut peers, now) = (Peers::default(), SystemClock.now());
        let (a, b) = (ReplicaId::from("a"), ReplicaId::from("b"));
        let post = Post { node_count: 4, ..Post::default() };
        assert_eq!(peers.heard(&a, &post, now), Sender::New);
        assert_eq!(peers.heard(&a, &post, now), Sender::Known);
        assert_eq!(peers.heard(&b, &post, now + SILENCE), Sender::New);
        assert_eq!(peers.forget_silent(now, now + SILENCE), []);
        assert_eq!(peers.others().len(), 2);
        let later = now + SILENCE + Duration::from_millis(1);
        assert_eq!(
            peers.forget_silent(now + Duration::from_secs(1), later),
            [],
            "it was not asked for so long"
        );
        assert_eq!(peers.forget_silent(now, later), [a]);
        let leaving = Post { leaving: true, ..post };
        assert_eq!(peers.heard(&b, &leaving, now), Sender::Leaves);
        assert_eq!(peers.heard(&b, &leaving, now), Sender::Left);
        assert!(peers.others().is_empty());
    }

    #[test]
    fn a_post_that_comes_again_is_known_by_its_number_also_after_its_sender_has_gone() {
        let (mut peers, now) = (Peers::default(), SystemClock.now());
        let (a, b) = (ReplicaId::from("a"), ReplicaId::from("b"));
        assert_eq!(peers.order(&a, 4, now), Order::Next, "what was posted before the start is not missed");
        assert_eq!(peers.order(&a, 4, now), Order::Again);
        assert_eq!(peers.order(&a, 5, now), Order::Next);
        assert_eq!(peers.order(&a, 8, now), Order::AfterLost);
        assert_eq!(peers.order(&a, 7, now), Order::Again, "late, and missed already");
        assert_eq!(peers.order(&b, 1, now), Order::Next);
        assert_eq!([peers.order(&b, 0, now), peers.order(&b, 0, now)], [Order::Next; 2], "an older program");
        peers.heard(&a, &Post { leaving: true, ..Post::default() }, now);
        assert_eq!(peers.order(&a, 8, now), Order::Again);
        peers.forget_silent(now, now + REMEMBERED);
        assert_eq!(peers.order(&a, 8, now), Order::Next);
    }
}
