//! Faults of a database, switched on and off while it is in use.

mod odds;

pub use odds::Odds;

use crate::StoreError;
use odds::Draw;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    future::pending,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::sync::watch;

/// What goes wrong, until told otherwise: in the whole database ([`super::MemoryStore::faults`]) or on one connection
/// ([`super::MemoryStore::connection_faults`]).
///
/// Strikes hit the transactions that write, one each, in the order in which they begin; [`crate::Store::ping`] is one of
/// them. What is queued ([`Faults::strike`]) goes before what is drawn ([`Faults::draw`]); what the database has in store
/// goes before what the connection has. Nothing depends on anything but the order of the calls.
#[derive(Debug, Default)]
pub struct Faults {
    plan: Mutex<Plan>,
    hangs: watch::Sender<bool>,
    stopped: AtomicU64,
}

#[derive(Debug, Default)]
struct Plan {
    unavailable: bool,
    deaf: bool,
    commit_delay: Duration,
    queued: VecDeque<Strike>,
    draw: Option<Draw>,
}

/// What becomes of one transaction that writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strike {
    /// Nothing: it goes well.
    #[default]
    None,
    /// It fails with [`StoreError::Unavailable`] before it commits anything.
    Refused,
    /// It is committed, but fails with [`StoreError::CommitUnknown`].
    AnswerLost,
    /// It fails with [`StoreError::CommitUnknown`], and is not committed.
    CommitLost,
    /// It is not committed, and whoever asked never hears of it: whoever simulates a crash ends him meanwhile
    /// ([`Faults::stopped`]).
    StoppedBefore,
    /// As [`Strike::StoppedBefore`], but it is committed.
    StoppedAfter,
}

impl Faults {
    /// Makes all methods fail with [`StoreError::Unavailable`], or work again.
    pub fn set_unavailable(&self, unavailable: bool) {
        self.plan.lock().unavailable = unavailable;
    }

    /// Makes all methods wait, those that run included, or lets them go on: as a database that is stopped, or a
    /// connection through which nothing comes.
    pub fn hang(&self, hangs: bool) {
        self.hangs.send_replace(hangs);
    }

    /// Makes each commit take that long, by tokio's clock. Zero is none.
    pub fn delay_commits(&self, by: Duration) {
        self.plan.lock().commit_delay = by;
    }

    /// Lets the doorbell stay silent, or ring again for what comes from then on.
    pub fn deafen(&self, deaf: bool) {
        self.plan.lock().deaf = deaf;
    }

    /// Queues strikes for the next transactions, behind those that are queued.
    pub fn strike(&self, strikes: impl IntoIterator<Item = Strike>) {
        self.plan.lock().queued.extend(strikes);
    }

    /// Draws from now on what becomes of each transaction, with these odds: the same seed draws the same.
    pub fn draw(&self, seed: u64, odds: Odds) {
        self.plan.lock().draw = Some(Draw::new(seed, odds));
    }

    /// Lets the next `count` transactions commit but fail with [`StoreError::CommitUnknown`].
    pub fn lose_answers(&self, count: usize) {
        self.strike([Strike::AnswerLost].repeat(count));
    }

    /// Lets the next `count` transactions fail before they commit anything.
    pub fn crash_before_commit(&self, count: usize) {
        self.strike([Strike::Refused].repeat(count));
    }

    /// Counts the transactions that were stopped so far and tell nobody: those of [`Strike::StoppedBefore`] and
    /// [`Strike::StoppedAfter`].
    pub fn stopped(&self) -> u64 {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Ends all faults. What was stopped stays so.
    pub fn heal(&self) {
        *self.plan.lock() = Plan::default();
        self.hang(false);
    }

    pub(super) fn is_deaf(&self) -> bool {
        self.plan.lock().deaf
    }

    /// Waits while nothing is answered, and fails when the store is away.
    pub(super) async fn pass(&self) -> Result<(), StoreError> {
        // The sender is in `self`, so the channel is open.
        let _ = self.hangs.subscribe().wait_for(|hangs| !hangs).await;
        if self.plan.lock().unavailable {
            return Err(StoreError::Unavailable("switched off by the test".into()));
        }
        Ok(())
    }

    /// Takes what strikes the next transaction, and how long its commit takes.
    pub(super) fn next(&self) -> (Strike, Duration) {
        let mut plan = self.plan.lock();
        let drawn = match plan.queued.pop_front() {
            Some(strike) => (strike, Duration::ZERO),
            None => plan.draw.as_mut().map(Draw::next).unwrap_or_default(),
        };
        (drawn.0, plan.commit_delay + drawn.1)
    }

    /// Never ends.
    pub(super) async fn stop<T>(&self) -> T {
        self.stopped.fetch_add(1, Ordering::Relaxed);
        pending().await
    }
}
