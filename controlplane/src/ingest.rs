//! The ledger on its way into the store: in order, each batch once, many nodes in one commit.

mod commit;

pub(crate) use commit::run;

use cliproxy_domain::{Batch, Incarnation, NodeId, Seq};
use cliproxy_store::Cursor;
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
