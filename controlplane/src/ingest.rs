//! The ledger on its way into the store: in order, each batch once, many nodes in one commit.

mod commit;
mod names;

pub(crate) use commit::run;

use cliproxy_domain::{Batch, Incarnation, NodeId, Seq};
use cliproxy_store::Cursor;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How many batches may wait for a commit. Beyond that streams are not read, which the nodes notice.
const WAITING: usize = 128;

/// Who reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reporter {
    pub(crate) node: NodeId,
    pub(crate) incarnation: Incarnation,
}

/// What one stream hands in.
pub(crate) struct Submission {
    reporter: Reporter,
    oldest_unacked: Seq,
    /// `None` asks for the cursor alone.
    batch: Option<Batch>,
    committed: watch::Sender<Option<Cursor>>,
}

/// The way in. Clones are the same.
#[derive(Clone)]
pub(crate) struct Ingest(mpsc::Sender<Submission>);

impl Ingest {
    /// Makes the way in, and the queue that [`run`] commits from.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Submission>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// Gives how long nodes should let their counts gather before they send more: nothing while less than half of what
    /// may wait for a commit waits, and the longer the more it is.
    pub(crate) fn slow_down(&self) -> Duration {
        let waiting = self.0.max_capacity().saturating_sub(self.0.capacity());
        let above_half = (2 * waiting).saturating_sub(self.0.max_capacity());
        // Up to ten seconds, in steps that a node can use.
        let share = above_half as f64 / self.0.max_capacity() as f64;
        if above_half == 0 { Duration::ZERO } else { Duration::from_millis(1_000 + (9_000.0 * share) as u64) }
    }

    /// Opens one report stream and asks for the reporter's cursor, which [`Report::committed`] gives first.
    pub(crate) async fn open(&self, reporter: Reporter, oldest_unacked: Seq) -> Report {
        let (committed, answers) = watch::channel(None);
        let report = Report { ingest: self.clone(), reporter, oldest_unacked, committed, answers };
        report.hand_in(None).await;
        report
    }
}

/// One report stream.
pub(crate) struct Report {
    ingest: Ingest,
    reporter: Reporter,
    oldest_unacked: Seq,
    committed: watch::Sender<Option<Cursor>>,
    answers: watch::Receiver<Option<Cursor>>,
}

impl Report {
    /// Hands in a batch; waits while too many do.
    pub(crate) async fn submit(&self, batch: Batch) {
        self.hand_in(Some(batch)).await;
    }

    /// Waits for the next commit that concerns this stream and tells how far it goes. Several commits may come as
    /// one, the newest. Safe to cancel.
    pub(crate) async fn committed(&mut self) -> Cursor {
        loop {
            // The sender is in `self`, so the channel is open.
            let _ = self.answers.changed().await;
            if let Some(cursor) = self.answers.borrow_and_update().clone() {
                return cursor;
            }
        }
    }

    async fn hand_in(&self, batch: Option<Batch>) {
        let submission = Submission {
            reporter: self.reporter.clone(),
            oldest_unacked: self.oldest_unacked,
            batch,
            committed: self.committed.clone(),
        };
        // Nobody receives any more: the process is ending, and the node keeps what has no acknowledgement.
        let _ = self.ingest.0.send(submission).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::WallTime;

    fn batch(seq: u64) -> Batch {
        let (window_start, window) = (WallTime(0), Duration::from_secs(1));
        Batch { incarnation: Incarnation(1), seq: Seq(seq), window_start, window, rows: Vec::new() }
    }

    #[tokio::test]
    async fn nodes_are_asked_for_less_while_much_waits_for_a_commit() {
        let (ingest, mut submissions) = Ingest::new();
        let reporter = Reporter { node: "n".into(), incarnation: Incarnation(1) };
        let report = ingest.open(reporter, Seq(1)).await;
        for seq in 1..WAITING as u64 / 2 {
            report.submit(batch(seq)).await;
        }
        assert_eq!(ingest.slow_down(), Duration::ZERO);
        report.submit(batch(0)).await;
        let little = ingest.slow_down();
        for seq in 0..WAITING as u64 / 2 - 1 {
            report.submit(batch(seq)).await;
        }
        assert!(Duration::from_secs(1) <= little && little < ingest.slow_down());
        assert_eq!(ingest.slow_down(), Duration::from_secs(10));
        while submissions.try_recv().is_ok() {}
        assert_eq!(ingest.slow_down(), Duration::ZERO);
    }
}
