//! One node of a fleet: what outlives its sessions.

use super::{Book, Load, PAUSES, session};
use crate::{Dice, now};
use cliproxy_proto::v1::{Batch, Row};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// Batches that wait for their acknowledgement at most.
const MAX_UNACKED: usize = 16;

/// A node, and what it has.
pub(super) struct Node {
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) endpoint: String,
    pub(super) book: Arc<Book>,
    pub(super) load: Load,
    pub(super) have: Have,
    pub(super) unacked: VecDeque<Batch>,
    next: u64,
}

/// What a node has of the control plane's state.
#[derive(Default)]
pub(super) struct Have {
    pub(super) history: String,
    pub(super) config: u64,
    pub(super) hash: u64,
    pub(super) hints: u64,
}

impl Node {
    pub(super) fn new(number: usize, endpoint: String, load: Load, book: Arc<Book>) -> Self {
        let (have, unacked) = (Have::default(), VecDeque::new());
        Self { number, name: format!("light-{number:03}"), endpoint, book, load, have, unacked, next: 1 }
    }

    /// Keeps a session until it is aborted.
    pub(super) async fn run(mut self, mut trips: mpsc::Receiver<String>) {
        let mut dice = Dice::new(self.number as u64);
        let mut ceiling = PAUSES.0;
        loop {
            let began = now();
            let pause = session::run(&mut self, &mut trips).await;
            self.book.is_gone(self.number);
            if now() - began > PAUSES.1 {
                ceiling = PAUSES.0;
            }
            tokio::time::sleep(pause.unwrap_or_else(|| dice.time(ceiling))).await;
            ceiling = (ceiling * 2).min(PAUSES.1);
        }
    }

    /// Counts a second: one batch, while there is room for it.
    pub(super) fn count(&mut self, wall_ms: i64) {
        if self.load.rows == 0 || self.unacked.len() >= MAX_UNACKED {
            return;
        }
        // Sorted by key, as a report must be.
        let rows = (0..self.load.rows).map(|row| Row {
            provider: "up".to_owned(),
            credential: format!("k{}", row * 10 / self.load.rows),
            model: format!("model-{row:05}"),
            ok: 3,
            latency_us: 900_000,
            tok_in: 1_000,
            tok_out: 300,
            ..Row::default()
        });
        let window_ms = 1_000;
        let batch = Batch { seq: self.next, window_start_ms: wall_ms, window_ms, rows: rows.collect() };
        self.next += 1;
        self.unacked.push_back(batch);
    }

    /// Forgets what is committed.
    pub(super) fn acknowledged(&mut self, up_to: u64) {
        while let Some(batch) = self.unacked.pop_front_if(|batch| batch.seq <= up_to) {
            self.book.rows.fetch_add(batch.rows.len() as u64, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Gives the lowest number that it can still send.
    pub(super) fn oldest(&self) -> u64 {
        self.unacked.front().map_or(self.next, |batch| batch.seq)
    }
}

/// How long a window is.
pub(super) const WINDOW: Duration = Duration::from_secs(1);
