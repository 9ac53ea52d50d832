//! One rate, over some minutes.

use crate::draw::Draw;
use cliproxy_domain::{
    Incarnation, LimitSubject, NodeId, RateClaim, RateId, RateKind, WallTime,
    share::{self, Asker, RateBooks, Terms},
};
use std::collections::VecDeque;

const MINUTE: u64 = 60_000;
/// What a node takes for one: its clock may run a hundredth fast.
const MINUTE_OF_NODES: u64 = 61_000;
const END: u64 = 240_000;

/// How it is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    AsBuilt,
    /// A node reckons the end of its share by its calendar.
    EndsByWallClock,
    /// A share that shrinks makes room for others before its node has heard of it.
    ShrinksAtOnce,
}

struct Node {
    name: NodeId,
    incarnation: Incarnation,
    /// How many millionths its clock runs fast, and what its calendar is off.
    drift: i64,
    skew: i64,
    cut_until: u64,
    req: u64,
    sent: u64,
    share: u64,
    ends: u64,
    /// When it let through requests, by its own clock.
    used: VecDeque<u64>,
}

enum Message {
    Claim { node: usize, asker: Asker, claim: RateClaim },
    Grant { node: usize, asker: Asker, share: u64, answered: u64 },
}

struct World {
    variant: Variant,
    draw: Draw,
    id: RateId,
    terms: Terms,
    books: RateBooks,
    nodes: Vec<Node>,
    /// And when each arrives.
    under_way: Vec<(u64, Message)>,
    slowest: u64,
    /// When requests went upstream, within the last minute.
    seen: VecDeque<u64>,
}

/// Runs a world; tells what did not hold.
pub(crate) fn run(seed: u64, variant: Variant) -> Option<String> {
    let mut world = World::new(seed, variant);
    let mut at = 0;
    while at < END {
        at += world.draw.between(1, 800);
        world.deliver(at);
        let number = world.draw.index(world.nodes.len());
        match world.draw.between(0, 99) {
            0 => world.kill(number),
            1..=3 => world.nodes[number].cut_until = at + world.draw.between(500, 40_000),
            4..=40 => world.claim(at, number),
            _ => world.ask(at, number),
        }
        let seen = world.seen.len() as u64;
        if seen > world.terms.limit {
            return Some(format!("{seen} of {} within the minute before {at} ms", world.terms.limit));
        }
    }
    None
}

impl World {
    fn new(seed: u64, variant: Variant) -> Self {
        let draw = Draw::seeded(seed);
        let nodes = draw.between(2, 5);
        let node = |number: u64| Node {
            name: NodeId::from(format!("node-{number}").as_str()),
            incarnation: Incarnation(1),
            drift: draw.between(0, 20_000) as i64 - 10_000,
            skew: [0, 20_000, -20_000, -600_000][draw.index(4)],
            cut_until: 0,
            req: 0,
            sent: 0,
            share: 0,
            ends: 0,
            used: VecDeque::new(),
        };
        let (subject, kind) = (LimitSubject::Client("ci".into()), RateKind::RequestsPerMinute);
        let limit = draw.between(nodes, 60);
        Self {
            variant,
            id: RateId { subject, kind },
            terms: Terms { kind, limit, safe_share: 0, ttl: share::TTL, learning: false },
            books: RateBooks::new(),
            nodes: (0..nodes).map(node).collect(),
            under_way: Vec::new(),
            slowest: [20, 1_500, 4_000][draw.index(3)],
            seen: VecDeque::new(),
            draw,
        }
    }

    fn kill(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        node.incarnation = node.incarnation.next();
        (node.req, node.share, node.ends) = (0, 0, 0);
        node.used.clear();
    }

    /// Lets through as many of some requests as the share allows.
    fn ask(&mut self, at: u64, number: usize) {
        for _ in 0..self.draw.between(1, 20) {
            let node = &mut self.nodes[number];
            let now = node.clock(at);
            let used = node.used(now);
            if now < node.ends && used < node.share {
                node.used.push_back(now);
                self.seen.push_back(at);
            }
        }
        while self.seen.front().is_some_and(|first| first + MINUTE <= at) {
            self.seen.pop_front();
        }
    }

    fn claim(&mut self, at: u64, number: usize) {
        let (demand, arrives) = (self.draw.between(0, 80), at + self.draw.between(1, self.slowest));
        let node = &mut self.nodes[number];
        let now = node.clock(at);
        let used = node.used(now);
        let share = if now < node.ends { node.share } else { 0 };
        (node.req, node.sent) = (node.req + 1, now);
        let asker = Asker { node: node.name.clone(), incarnation: node.incarnation, req: node.req };
        let claim = RateClaim {
            id: self.id.clone(),
            held: share.min(self.terms.limit).max(used),
            demand,
            waiting: 0,
            upstream: None,
            closing: false,
        };
        self.under_way.push((arrives, Message::Claim { node: number, asker, claim }));
    }

    fn deliver(&mut self, until: u64) {
        let mut arrived: Vec<_> = self.under_way.extract_if(.., |(at, _)| *at <= until).collect();
        arrived.sort_by_key(|(at, _)| *at);
        for (at, message) in arrived {
            let (Message::Claim { node, .. } | Message::Grant { node, .. }) = &message;
            if self.nodes[*node].cut_until > at || self.draw.once_in(10) {
                continue;
            }
            match message {
                Message::Claim { node, asker, claim } => self.answer(at, node, asker, &claim),
                Message::Grant { node, asker, share, answered } => {
                    self.hear(at, node, &asker, share, answered);
                }
            }
        }
    }

    fn answer(&mut self, at: u64, node: usize, asker: Asker, claim: &RateClaim) {
        let now = WallTime(at as i64);
        let Some(shared) = share::lease(&mut self.books, &self.terms, &asker, claim, now) else { return };
        let key = (asker.node.clone(), asker.incarnation);
        if self.variant == Variant::ShrinksAtOnce
            && let Some(holder) = self.books.get_mut(&key)
        {
            holder.held = shared.share;
        }
        let arrives = at + self.draw.between(1, self.slowest);
        self.under_way.push((arrives, Message::Grant { node, asker, share: shared.share, answered: at }));
    }

    fn hear(&mut self, at: u64, number: usize, asker: &Asker, share: u64, answered: u64) {
        let ttl = share::TTL.as_millis() as u64;
        let node = &mut self.nodes[number];
        if node.incarnation != asker.incarnation || node.req != asker.req {
            return;
        }
        node.share = share;
        node.ends = node.sent + ttl;
        if self.variant == Variant::EndsByWallClock {
            let left = (answered + ttl) as i64 - (at as i64 + node.skew);
            node.ends = node.clock(at) + left.max(0) as u64;
        }
    }
}

impl Node {
    fn clock(&self, at: u64) -> u64 {
        (at as i64 + at as i64 * self.drift / 1_000_000) as u64
    }

    fn used(&mut self, now: u64) -> u64 {
        while self.used.front().is_some_and(|first| first + MINUTE_OF_NODES <= now) {
            self.used.pop_front();
        }
        self.used.len() as u64
    }
}
