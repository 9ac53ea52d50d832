//! What this replica's nodes said, until the other replicas are told.

use cliproxy_domain::{
    Batch, Hint, HintKey, Incarnation, LedgerRow, NodeGrants, NodeId, ProbeReport, ProviderName, UrgentEvent,
    UsageKey, WallTime,
};
use cliproxy_engine::health::Evidence;
use cliproxy_proto::convert::replica::{HeardTraffic, HeldElsewhere, Post, WindowSums};
use cliproxy_store::ledger::minute_of;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicBool, Ordering},
};
use tokio::sync::Notify;

/// How many events may wait; of more the oldest are dropped. Windows of errors fill with far fewer.
const EVENTS: usize = 2_000;
/// How many sums of usage may wait; what has no place any more is not told. The store has it.
const SUMS: usize = 20_000;
/// How many observations of each kind may wait; of more the oldest are dropped.
const HEARD: usize = 5_000;
/// How many nodes may be asked for what others wait for; those who wait claim again.
const RECALLS: usize = 1_000;
/// How many hints may wait; there are hardly more of those that are never stored.
const PASSING: usize = 5_000;

/// What is to be told.
#[derive(Default)]
pub(crate) struct Outbox {
    /// Whether there is anybody to tell.
    open: AtomicBool,
    waiting: Mutex<Waiting>,
    urgent: Notify,
}

#[derive(Default)]
struct Waiting {
    resigned: bool,
    events: VecDeque<(UrgentEvent, WallTime)>,
    /// By the minute, the second in which the window ended, and the key.
    sums: BTreeMap<(WallTime, i64, UsageKey), LedgerRow>,
    traffic: VecDeque<HeardTraffic>,
    probes: VecDeque<(ProbeReport, WallTime)>,
    passing: BTreeMap<HintKey, Hint>,
    /// By the process that holds it; the newest word.
    recalls: BTreeMap<(NodeId, Incarnation), HeldElsewhere>,
    dropped: u64,
}

impl Outbox {
    /// From now on there is somebody to tell.
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    /// Waits until something was said that the others should hear at once. Safe to cancel.
    pub(crate) async fn is_urgent(&self) {
        self.urgent.notified().await;
    }

    /// Takes an event of one of this replica's nodes, heard at `now`.
    pub(crate) fn event(&self, event: &UrgentEvent, now: WallTime) {
        self.change(|waiting| {
            let at = now.minus(event.age);
            waiting.dropped += push(&mut waiting.events, (event.clone(), at), EVENTS);
        });
        self.urgent.notify_one();
    }

    /// Takes usage that was committed.
    pub(crate) fn usage(&self, batch: &Batch, now: WallTime) {
        let end = batch.window_start.plus(batch.window).min(now);
        let minute = minute_of(batch.window_start, now);
        self.change(|waiting| batch.rows.iter().for_each(|row| waiting.add(minute, end, row)));
    }

    /// Takes what a node's calls say of a provider.
    pub(crate) fn traffic(&self, provider: &ProviderName, evidence: &Evidence) {
        let Evidence { node, at, ok, count, said, .. } = evidence.clone();
        let heard = HeardTraffic { node, provider: provider.clone(), ok, count, said, at };
        self.change(|waiting| waiting.dropped += push(&mut waiting.traffic, heard, HEARD));
    }

    /// Takes a probe that ended at `at`.
    pub(crate) fn probe(&self, report: &ProbeReport, at: WallTime) {
        self.change(|waiting| waiting.dropped += push(&mut waiting.probes, (report.clone(), at), HEARD));
    }

    /// Takes a hint that is never stored.
    pub(crate) fn passing(&self, hint: &Hint) {
        self.change(|waiting| {
            if waiting.passing.len() < PASSING {
                waiting.passing.insert(hint.key(), hint.clone());
            } else {
                waiting.dropped += 1;
            }
        });
    }

    /// Takes what a node holds that others wait for, and that does not claim here.
    pub(crate) fn recall(&self, node: &NodeId, incarnation: Incarnation, grants: &NodeGrants, now: WallTime) {
        self.change(|waiting| {
            let key = (node.clone(), incarnation);
            if waiting.recalls.len() < RECALLS || waiting.recalls.contains_key(&key) {
                let held = HeldElsewhere { node: node.clone(), incarnation, grants: grants.clone(), at: now };
                waiting.recalls.insert(key, held);
            } else {
                waiting.dropped += 1;
            }
        });
        self.urgent.notify_one();
    }

    /// Says that this replica gave up to lead.
    pub(crate) fn resigned(&self) {
        self.change(|waiting| waiting.resigned = true);
        self.urgent.notify_one();
    }

    /// Takes what waits into a post. Gives how much was dropped since the last time.
    pub(crate) fn take(&self, post: &mut Post) -> u64 {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        post.resigned = waiting.resigned;
        post.events = waiting.events.into();
        post.traffic = waiting.traffic.into();
        post.probes = waiting.probes.into();
        post.passing = waiting.passing.into_values().collect();
        post.recalls = waiting.recalls.into_values().collect();
        for ((minute, second, _), row) in waiting.sums {
            let end = WallTime(second.saturating_mul(1_000));
            match post.usage.last_mut() {
                Some(sums) if (sums.minute, sums.end) == (minute, end) => sums.rows.push(row),
                _ => post.usage.push(WindowSums { minute, end, rows: vec![row] }),
            }
        }
        waiting.dropped
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        if self.open.load(Ordering::Relaxed) {
            change(&mut self.waiting.lock());
        }
    }
}

impl Waiting {
    fn add(&mut self, minute: WallTime, end: WallTime, row: &LedgerRow) {
        let key = (minute, end.0.div_euclid(1_000), row.key.clone());
        if let Some(sums) = self.sums.get_mut(&key) {
            sums.add(row);
        } else if self.sums.len() < SUMS {
            self.sums.insert(key, row.clone());
        } else {
            self.dropped += 1;
        }
    }
}

/// Adds one, and gives how many had to go for it.
fn push<T>(queue: &mut VecDeque<T>, one: T, most: usize) -> u64 {
    queue.push_back(one);
    let surplus = queue.len() > most;
    if surplus {
        queue.pop_front();
    }
    u64::from(surplus)
}

/// Gives what was heard as whoever judges takes it.
pub(crate) fn evidence(heard: HeardTraffic) -> (ProviderName, Evidence) {
    let HeardTraffic { node, provider, ok, count, said, at } = heard;
    let source = cliproxy_engine::health::Source::Traffic;
    (provider, Evidence { node, source, at, ok, count, said })
}
