//! Reports the ledger: windows of a second, numbered, sent until they are acknowledged.

use super::{Identity, SyncMetrics, connect::SessionError};
use crate::{account::Ledger, ops::Recent};
use cliproxy_domain::{AttemptCounts, Batch, Incarnation, LedgerKey, LedgerRow, Seq, TokenUsage, WallTime};
use cliproxy_proto::{
    convert::telemetry::batch_to_wire,
    v1::{ReportDown, ReportHello, ReportUp, report_up::Message, telemetry_client::TelemetryClient},
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

/// How long a window is.
pub(super) const WINDOW: Duration = Duration::from_secs(1);
/// Batches that wait for their acknowledgement at most. While as many wait, windows merge: overload and outages
/// lower the number of batches, and lose nothing.
const MAX_UNACKED: usize = 16;

/// The ledger on its way to the control plane.
pub struct Reporter {
    ledger: Arc<Ledger>,
    incarnation: Incarnation,
    state: Mutex<State>,
    changed: Notify,
    metrics: SyncMetrics,
}

struct State {
    /// Frozen batches, oldest first: a re-send is the same batch.
    unacked: VecDeque<Batch>,
    next: Seq,
    /// Rows that have no number yet.
    pending: BTreeMap<LedgerKey, (AttemptCounts, TokenUsage)>,
    pending_since: WallTime,
}

impl Reporter {
    /// Reports what `ledger` counts in this incarnation. The first window begins `now`.
    pub fn new(ledger: Arc<Ledger>, incarnation: Incarnation, metrics: SyncMetrics, now: WallTime) -> Self {
        let state =
            State { unacked: VecDeque::new(), next: Seq(1), pending: BTreeMap::new(), pending_since: now };
        Self { ledger, incarnation, state: Mutex::new(state), changed: Notify::new(), metrics }
    }

    /// Closes the window that ends `now`, and makes a batch of it when there is room for one more. Gives its rows.
    pub fn close_window(&self, now: WallTime, recent: &Recent) -> Vec<LedgerRow> {
        let rows = self.ledger.take();
        recent.fold(&rows, now);
        let mut state = self.state.lock();
        if state.pending.is_empty() {
            // Nothing was waiting: the window began when the one before it ended.
            state.pending_since = now.minus(WINDOW).max(state.pending_since);
        }
        for row in rows.clone() {
            let (attempts, tokens) = state.pending.entry(row.key).or_default();
            *attempts += row.attempts;
            *tokens += row.tokens;
        }
        state.freeze(self.incarnation, now);
        self.metrics.unacked_batches.set(count(&state.unacked));
        drop(state);
        self.changed.notify_one();
        rows
    }

    /// Tells whether everything that was counted is acknowledged.
    pub fn is_settled(&self) -> bool {
        let state = self.state.lock();
        state.unacked.is_empty() && state.pending.is_empty()
    }

    /// Sends batches and takes acknowledgements until the connection fails.
    pub(super) async fn run(&self, channel: Channel, identity: &Identity) -> SessionError {
        let (up, stream) = mpsc::channel(MAX_UNACKED + 1);
        let hello = ReportHello {
            node_id: identity.node.to_string(),
            incarnation: identity.incarnation.0,
            oldest_unacked: self.oldest_unacked().0,
        };
        if up.send(ReportUp { message: Some(Message::Hello(hello)) }).await.is_err() {
            return SessionError::Closed;
        }
        let mut client = TelemetryClient::new(channel);
        let mut down = match client.report(ReceiverStream::new(stream)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return status.into(),
        };
        let mut sent = Seq(self.oldest_unacked().0 - 1);
        loop {
            for batch in self.unacked_after(sent) {
                sent = batch.seq;
                let message = Some(Message::Batch(batch_to_wire(&batch)));
                if up.send(ReportUp { message }).await.is_err() {
                    return SessionError::Closed;
                }
            }
            tokio::select! {
                () = self.changed.notified() => {}
                answer = down.message() => match answer {
                    Ok(Some(answer)) => match self.acknowledged(&answer) {
                        Some(again) if again.next() < self.oldest_unacked() => return lost(again.next()),
                        Some(again) => sent = again,
                        None => {}
                    },
                    Ok(None) => return SessionError::Closed,
                    Err(status) => return status.into(),
                },
            }
        }
    }

    fn oldest_unacked(&self) -> Seq {
        let state = self.state.lock();
        state.unacked.front().map_or(state.next, |batch| batch.seq)
    }

    fn unacked_after(&self, sent: Seq) -> Vec<Batch> {
        self.state.lock().unacked.iter().filter(|batch| batch.seq > sent).cloned().collect()
    }

    /// Forgets what is committed. Gives the number to send after, when there is a gap.
    fn acknowledged(&self, answer: &ReportDown) -> Option<Seq> {
        let mut state = self.state.lock();
        while state.unacked.front().is_some_and(|batch| batch.seq.0 <= answer.acked_seq) {
            state.unacked.pop_front();
        }
        self.metrics.unacked_batches.set(count(&state.unacked));
        (answer.need_from > 0).then(|| Seq(answer.need_from - 1))
    }
}

fn count(batches: &VecDeque<Batch>) -> i64 {
    i64::try_from(batches.len()).unwrap_or(i64::MAX)
}

/// Ends the session: the control plane asks for what it acknowledged before, so its store went back in time. The
/// pause before the next session keeps this from turning in circles.
fn lost(need_from: Seq) -> SessionError {
    SessionError::Protocol(format!(
        "usage from batch {need_from} on is asked for again after it was acknowledged"
    ))
}

impl State {
    fn freeze(&mut self, incarnation: Incarnation, now: WallTime) {
        if self.pending.is_empty() || self.unacked.len() >= MAX_UNACKED {
            return;
        }
        let rows = std::mem::take(&mut self.pending)
            .into_iter()
            .map(|(key, (attempts, tokens))| LedgerRow { key, attempts, tokens })
            .collect();
        let (seq, window_start) = (self.next, self.pending_since);
        self.next = seq.next();
        self.pending_since = now;
        self.unacked.push_back(Batch {
            incarnation,
            seq,
            window_start,
            window: now.since(window_start),
            rows,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reporter() -> (Reporter, Arc<Ledger>) {
        let ledger = Arc::new(Ledger::default());
        (Reporter::new(Arc::clone(&ledger), Incarnation(3), SyncMetrics::default(), WallTime(0)), ledger)
    }

    fn did(ledger: &Ledger, ok: u64) {
        let key = LedgerKey { provider: "p".into(), credential: "c".into(), model: "m".into() };
        ledger.add(key, AttemptCounts { ok, ..AttemptCounts::default() }, TokenUsage::default());
    }

    fn ack(reporter: &Reporter, acked_seq: u64, need_from: u64) -> Option<Seq> {
        reporter.acknowledged(&ReportDown { acked_seq, need_from, ..ReportDown::default() })
    }

    #[test]
    fn empty_windows_make_no_batches() {
        let (reporter, ledger) = reporter();
        reporter.close_window(WallTime(1_000), &Recent::default());
        assert!(reporter.is_settled());
        did(&ledger, 1);
        reporter.close_window(WallTime(2_000), &Recent::default());
        assert_eq!(reporter.unacked_after(Seq(0)).len(), 1);
    }

    #[test]
    fn windows_merge_while_nobody_acknowledges_and_nothing_is_lost() {
        let (reporter, ledger) = reporter();
        for second in 1..=40 {
            did(&ledger, 1);
            reporter.close_window(WallTime(second * 1_000), &Recent::default());
        }
        let waiting = reporter.unacked_after(Seq(0));
        assert_eq!(waiting.len(), MAX_UNACKED);
        assert!(ack(&reporter, 16, 0).is_none());
        reporter.close_window(WallTime(41_000), &Recent::default());
        let merged = reporter.unacked_after(Seq(16));
        assert_eq!((merged[0].seq, merged[0].rows[0].attempts.ok), (Seq(17), 24));
        ack(&reporter, 17, 0);
        assert!(reporter.is_settled());
    }

    #[test]
    fn a_batch_that_was_numbered_never_changes() {
        let (reporter, ledger) = reporter();
        did(&ledger, 1);
        reporter.close_window(WallTime(1_000), &Recent::default());
        let first = reporter.unacked_after(Seq(0));
        did(&ledger, 5);
        reporter.close_window(WallTime(2_000), &Recent::default());
        assert_eq!(reporter.unacked_after(Seq(0))[0], first[0]);
        assert_eq!(ack(&reporter, 0, 1), Some(Seq(0)));
    }
}
