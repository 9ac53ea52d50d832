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

/// The other replicas that were heard of lately.
#[derive(Default)]
pub(super) struct Peers(BTreeMap<ReplicaId, Peer>);

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
    /// Notes a post that was read at `now`.
    pub(super) fn heard(&mut self, replica: &ReplicaId, post: &Post, now: Instant) -> Sender {
        if post.leaving {
            if self.0.remove(replica).is_none() {
                return Sender::Left;
            }
            tracing::info!(replica = post.name, "another replica of the control plane goes");
            return Sender::Leaves;
        }
        let other = Other { advertise_url: post.advertise_url.clone(), nodes: post.node_count };
        let peer = Peer { name: post.name.clone(), heard: now, other };
        if self.0.insert(replica.clone(), peer).is_some() {
            return Sender::Known;
        }
        tracing::info!(replica = post.name, "another replica of the control plane is there");
        Sender::New
    }

    /// Notes a post of before the start: its sender may be there still.
    pub(super) fn heard_before(&mut self, replica: &ReplicaId, post: &Post, now: Instant) {
        if post.leaving {
            self.0.remove(replica);
        } else {
            let peer =
                Peer { name: post.name.clone(), heard: now, other: Other { advertise_url: None, nodes: 0 } };
            self.0.insert(replica.clone(), peer);
        }
    }

    /// Forgets replicas that were silent for long between `from` and `to`, while they could be heard, and gives them.
    pub(super) fn forget_silent(&mut self, from: Instant, to: Instant) -> Vec<ReplicaId> {
        let is_silent = |peer: &Peer| to.saturating_duration_since(peer.heard.max(from)) > SILENCE;
        let silent: Vec<ReplicaId> =
            self.0.iter().filter(|(_, peer)| is_silent(peer)).map(|(replica, _)| replica.clone()).collect();
        for replica in &silent {
            if let Some(peer) = self.0.remove(replica) {
                tracing::warn!(replica = peer.name, "another replica of the control plane is silent");
            }
        }
        silent
    }

    /// Gives who they are.
    pub(super) fn replicas(&self) -> BTreeSet<ReplicaId> {
        self.0.keys().cloned().collect()
    }

    /// Gives the others.
    pub(super) fn others(&self) -> Vec<Other> {
        self.0.values().map(|peer| peer.other.clone()).collect()
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
}
