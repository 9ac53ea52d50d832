//! Reports the ledger: windows of a second, numbered, sent until they are acknowledged, and again when what was
//! acknowledged is lost.

mod queue;

use super::{Identity, SyncMetrics, connect::SessionError};
use crate::{account::Ledger, ops::Recent};
use cliproxy_domain::{Incarnation, LedgerRow, Seq, WallTime};
use cliproxy_host::Clock;
use cliproxy_proto::{
    convert::telemetry::batch_to_wire,
    v1::{ReportDown, ReportHello, ReportUp, report_up::Message, telemetry_client::TelemetryClient},
};
use parking_lot::Mutex;
use queue::{MAX_UNACKED, Queue};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

/// How long a window is.
pub(super) const WINDOW: Duration = Duration::from_secs(1);
/// The longest that a control plane may have the node wait between two batches.
const LONGEST_SLOW_DOWN: Duration = Duration::from_secs(60);

/// The ledger on its way to the control plane.
pub struct Reporter {
    ledger: Arc<Ledger>,
    queue: Mutex<Queue>,
    changed: Notify,
    metrics: SyncMetrics,
    clock: Arc<dyn Clock>,
}

impl Reporter {
    /// Reports what `ledger` counts in this incarnation. The first window begins now.
    pub fn new(
        ledger: Arc<Ledger>,
        incarnation: Incarnation,
        metrics: SyncMetrics,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let queue = Mutex::new(Queue::new(incarnation, clock.wall()));
        Self { ledger, queue, changed: Notify::new(), metrics, clock }
    }

    /// Closes the window that ends `now`, and makes a batch of it when there is room for one more. Gives its rows.
    pub fn close_window(&self, now: WallTime, recent: &Recent) -> Vec<LedgerRow> {
        let rows = self.ledger.take();
        recent.fold(&rows, now);
        let mut queue = self.queue.lock();
        queue.add(&rows, WINDOW, now);
        queue.freeze(self.clock.now());
        self.show(&queue);
        drop(queue);
        self.changed.notify_one();
        rows
    }

    /// Closes the last window before the node ends: it goes up at once, however slow the control plane is.
    pub fn close_last_window(&self, recent: &Recent) {
        self.queue.lock().slow_down(Duration::ZERO);
        self.close_window(self.clock.wall(), recent);
    }

    /// Tells whether everything that was counted is acknowledged.
    pub fn is_settled(&self) -> bool {
        self.queue.lock().is_settled()
    }

    /// Sends batches and takes acknowledgements until the connection fails.
    pub(super) async fn run(&self, channel: Channel, identity: &Identity) -> SessionError {
        let (up, stream) = mpsc::channel(MAX_UNACKED);
        let hello = ReportHello {
            node_id: identity.node.to_string(),
            incarnation: identity.incarnation.0,
            oldest_unacked: self.queue.lock().oldest().0,
        };
        if up.send(ReportUp { message: Some(Message::Hello(hello)) }).await.is_err() {
            return SessionError::Closed;
        }
        let mut client = TelemetryClient::new(channel);
        let mut down = match client.report(ReceiverStream::new(stream)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return status.into(),
        };
        // What is sent before the first word is skipped by a control plane that has it.
        let mut sent = Seq(0);
        loop {
            let has_more = self.queue.lock().after(sent).is_some();
            tokio::select! {
                biased;
                answer = down.message() => match answer {
                    Ok(Some(answer)) => sent = self.answered(&answer, sent),
                    Ok(None) => return SessionError::Closed,
                    Err(status) => return status.into(),
                },
                permit = up.reserve(), if has_more => {
                    let Ok(permit) = permit else { return SessionError::Closed };
                    if let Some(batch) = self.queue.lock().after(sent) {
                        sent = batch.seq;
                        permit.send(ReportUp { message: Some(Message::Batch(batch_to_wire(&batch))) });
                    }
                }
                () = self.changed.notified(), if !has_more => {}
            }
        }
    }

    /// Forgets what is committed, or puts back what the control plane lost. Gives the number to send after.
    fn answered(&self, answer: &ReportDown, sent: Seq) -> Seq {
        let acked = Seq(answer.acked_seq);
        let mut queue = self.queue.lock();
        let went = queue.committed(acked, self.clock.now());
        let slow_down = Duration::from_millis(answer.slow_down_ms.into());
        queue.slow_down(slow_down.min(LONGEST_SLOW_DOWN));
        queue.freeze(self.clock.now());
        self.show(&queue);
        if went.again + went.lost > 0 {
            tracing::warn!(
                committed = answer.acked_seq,
                again = went.again,
                lost = went.lost,
                history = answer.history_id,
                "the control plane lost usage that it had acknowledged; what the node still has is sent again"
            );
            self.metrics.batches_resent.inc_by(went.again);
            self.metrics.batches_lost.inc_by(went.lost);
            return acked;
        }
        if answer.need_from > 0 { Seq(answer.need_from - 1) } else { sent }
    }

    fn show(&self, queue: &Queue) {
        self.metrics.unacked_batches.set(i64::try_from(queue.unacked()).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{AttemptCounts, LedgerKey, TokenUsage};
    use cliproxy_host::SystemClock;

    fn reporter(windows: u64) -> Reporter {
        let ledger = Arc::new(Ledger::default());
        let clock = Arc::new(SystemClock);
        let reporter = Reporter::new(Arc::clone(&ledger), Incarnation(3), SyncMetrics::default(), clock);
        for _ in 0..windows {
            let key = LedgerKey { provider: "p".into(), credential: "c".into(), model: "m".into() };
            ledger.add(
                key.into(),
                AttemptCounts { ok: 1, ..AttemptCounts::default() },
                TokenUsage::default(),
                0,
            );
            reporter.close_window(SystemClock.wall(), &Recent::default());
        }
        reporter
    }

    fn answer(acked_seq: u64, need_from: u64) -> ReportDown {
        ReportDown { acked_seq, need_from, ..ReportDown::default() }
    }

    #[test]
    fn what_is_missing_is_sent_again_from_where_it_is_asked_for() {
        let reporter = reporter(4);
        assert_eq!(reporter.answered(&answer(1, 0), Seq(4)), Seq(4));
        assert_eq!(reporter.answered(&answer(1, 2), Seq(4)), Seq(1));
    }

    #[test]
    fn a_control_plane_that_went_back_in_time_is_sent_what_it_had_acknowledged() {
        let reporter = reporter(4);
        assert_eq!(reporter.answered(&answer(4, 0), Seq(4)), Seq(4));
        assert!(reporter.is_settled());
        assert_eq!(reporter.answered(&answer(2, 3), Seq(4)), Seq(2));
        assert!(!reporter.is_settled());
        assert_eq!(reporter.metrics.batches_resent.get(), 2);
    }

    #[test]
    fn the_last_window_is_not_held_back() {
        let reporter = reporter(1);
        reporter.answered(&ReportDown { slow_down_ms: 60_000, ..answer(0, 0) }, Seq(1));
        reporter.ledger.add(
            LedgerKey { provider: "p".into(), credential: "c".into(), model: "m".into() }.into(),
            AttemptCounts::default(),
            TokenUsage { input: 1, ..TokenUsage::default() },
            0,
        );
        reporter.close_last_window(&Recent::default());
        assert_eq!(reporter.queue.lock().unacked(), 2);
    }
}
