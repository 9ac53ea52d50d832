//! The books of a rate: how much of a limit each node may use within any minute, or have open.
//!
//! Pure arithmetic on rows that a store reads and writes around it within one transaction. A node's share is the
//! capacity of its own sliding window. What a node [holds](Holder::held) is the larger of its share and of what it has
//! used within the last minute, and the sum of that stays within the limit: so does what all of them use within any
//! minute. A share that shrinks makes room for others when its node says so, or when the node is silent for so long
//! that its share has ended and what it used is no longer of the last minute.
//!
//! Nodes reckon the end of a share from when they asked, the books from when they answer, and a little longer: a node
//! stops before the books do, whatever their clocks say.

use crate::{
    leasing::{RateClaim, UpstreamLimit},
    limit::{LossMode, RateKind},
    name::NodeId,
    time::WallTime,
    version::Incarnation,
};
use std::{collections::BTreeMap, time::Duration};

mod fair;
#[cfg(test)]
mod tests;

/// How long a share holds, counted by the node from when it asked.
pub const TTL: Duration = Duration::from_secs(10);

/// How long what a node used is of the last minute, with room for clocks that run apart by a hundredth.
const MINUTE_BOOKED: Duration = Duration::from_millis(61_200);

/// How long after the end of its share a silent node's safe share is kept for it.
const SILENCE: Duration = Duration::from_secs(5 * 60);

/// How long after its history changed a store only listens: until the shares that it has forgotten have ended, and what was
/// used of them is no longer of the last minute. Nodes go by what they do without a control plane meanwhile.
pub const LEARNING: Duration = Duration::from_secs(72);

/// How long a provider's word on a limit is believed.
const BELIEVED: Duration = Duration::from_secs(10 * 60);

/// The rows of one rate: what each process of each node holds.
pub type RateBooks = BTreeMap<(NodeId, Incarnation), Holder>;

/// What one process of one node has of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The number of its last claim: an older one is not heard any more.
    pub req: u64,
    /// The capacity that it was given last.
    pub share: u64,
    /// What it may still count on: the larger of its share and of what it has used within the last minute.
    pub held: u64,
    /// What it may use once it hears nobody.
    pub safe_share: u64,
    /// What it would use.
    pub demand: u64,
    /// When its share ends unless it claims again.
    pub expires_at: WallTime,
    /// What the provider said to it last, and when.
    pub upstream: Option<Told>,
}

/// A provider's word on a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The limit.
    pub limit: u64,
    /// When it was said.
    pub at: WallTime,
}

impl Holder {
    /// Gives what the holder takes of the limit at `now`.
    pub fn hold(&self, now: WallTime) -> u64 {
        if now < self.expires_at {
            self.held
        } else if now < self.expires_at.plus(MINUTE_BOOKED) {
            self.held.max(self.safe_share)
        } else if now < self.expires_at.plus(SILENCE) {
            self.safe_share
        } else {
            0
        }
    }

    /// Tells whether the row says nothing any more and can be forgotten.
    pub fn is_over(&self, now: WallTime) -> bool {
        now >= self.expires_at.plus(SILENCE)
    }

    /// Makes the row of a process that stops: nothing is kept for it but what it used, while that is of the last minute.
    fn of_one_that_stops(req: u64, used: u64, known: Option<Self>, now: WallTime) -> Self {
        let upstream = known.and_then(|known| known.upstream);
        Self { req, share: 0, held: used, safe_share: 0, demand: 0, expires_at: now, upstream }
    }

    /// Ends the share of a process that is gone: a later one of its node has claimed. What it used stays used.
    fn supersede(&mut self, kind: RateKind, now: WallTime) {
        self.expires_at = self.expires_at.min(now);
        self.safe_share = 0;
        self.demand = 0;
        if kind == RateKind::ConcurrentRequests {
            // Its requests ended with it.
            self.held = 0;
        }
    }
}

/// What a share is reckoned by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What is counted.
    pub kind: RateKind,
    /// The limit as configured.
    pub limit: u64,
    /// What a node may use that hears no control plane (see [`safe_share`]).
    pub safe_share: u64,
    /// How long a share holds, counted by the node from when it asked: [`TTL`].
    pub ttl: Duration,
    /// The store listens (see [`LEARNING`]): what nodes hold is written down, and nobody is answered.
    pub learning: bool,
}

/// Who claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The node.
    pub node: NodeId,
    /// Its process.
    pub incarnation: Incarnation,
    /// The number of the claim.
    pub req: u64,
}

/// What a claim came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// What the node may use within any minute, or have open.
    pub share: u64,
    /// What it may use once it hears nobody.
    pub safe_share: u64,
    /// The limit in force: the configured one, or what the provider says if that is less.
    pub limit: u64,
    /// Others hold what would be the node's by rights: they are to say what they do not need.
    pub unmet: bool,
}

/// Answers a claim at `now`, by the store's clock. None when it must not be answered: it is older than what the books know
/// of its node, which goes by a later answer, or the store listens; and when the node stops.
pub fn lease(
    books: &mut RateBooks,
    terms: &Terms,
    asker: &Asker,
    claim: &RateClaim,
    now: WallTime,
) -> Option<Shared> {
    // First of all: a process whose number is lower than that of one that is long gone, as its machine lost its disk and
    // its clock was set back, is none of before.
    books.retain(|_, holder| !holder.is_over(now));
    let key = (asker.node.clone(), asker.incarnation);
    let known = books.get(&key).copied();
    let later =
        books.keys().any(|(node, incarnation)| *node == asker.node && *incarnation > asker.incarnation);
    if later || known.is_some_and(|known| asker.req < known.req) {
        return None;
    }
    let earlier = books.iter_mut().filter(|((node, of), _)| *node == asker.node && *of < asker.incarnation);
    for (_, holder) in earlier {
        holder.supersede(terms.kind, now);
    }

    if claim.closing {
        books.insert(key, Holder::of_one_that_stops(asker.req, claim.held, known, now));
        return None;
    }

    let upstream = claim.upstream.map(|said| Told { limit: said.limit, at: said_at(&said, now) });
    let told = books.values().filter_map(|holder| holder.upstream).chain(upstream);
    let limit = in_force(terms.limit, told, now);
    let safe_share = terms.safe_share.min(limit);
    if let Some(known) =
        known.filter(|known| known.req == asker.req && now < known.expires_at && !terms.learning)
    {
        // The same claim again: whichever answer arrives, it is the same.
        return Some(Shared { share: known.share, safe_share, limit, unmet: false });
    }

    let others = || books.iter().filter(|(other, _)| **other != key).map(|(_, holder)| holder);
    let taken = others().fold(0_u64, |sum, holder| sum.saturating_add(holder.hold(now)));
    let available = limit.saturating_sub(taken);
    let demand = claim.demand.max(claim.waiting);
    let fair = fair::part(limit, others(), demand, now);
    let share = if terms.learning { 0 } else { fair.min(available) };
    let holder = Holder {
        req: asker.req,
        share,
        held: share.max(claim.held),
        safe_share,
        demand,
        expires_at: now.plus(booked(terms.ttl)),
        upstream: upstream.or(known.and_then(|known| known.upstream)),
    };
    books.insert(key, holder);
    let shared = Shared { share, safe_share, limit, unmet: share < fair.min(demand) };
    (!terms.learning).then_some(shared)
}

/// Gives what each of so many nodes may use of a limit that hears no control plane: under [`LossMode::Safe`] nine
/// tenths of it shared out, but at least one while there is one for each; otherwise nothing that has to be kept for it.
pub fn safe_share(limit: u64, on_loss: LossMode, nodes: u64) -> u64 {
    if on_loss != LossMode::Safe {
        return 0;
    }
    let part = limit / nodes.max(1);
    if part == 0 { 0 } else { (part - part.div_ceil(10)).max(1) }
}

/// Gives how long a share holds in the books: clocks that run apart by a hundredth do not make a node stop too late.
fn booked(ttl: Duration) -> Duration {
    ttl + ttl / 50
}

fn said_at(said: &UpstreamLimit, now: WallTime) -> WallTime {
    now.minus(said.age)
}

/// The word that was said last counts, while it is believed.
fn in_force(configured: u64, told: impl Iterator<Item = Told>, now: WallTime) -> u64 {
    let last = told.filter(|told| now.since(told.at) < BELIEVED).max_by_key(|told| (told.at, told.limit));
    last.map_or(configured, |told| configured.min(told.limit))
}
