//! The one loop that commits the ledger and folds what was new into the state.

use super::{Reporter, Submission};
use crate::{backoff::Backoff, metrics::PlaneMetrics, state::State};
use cliproxy_domain::{Batch, Seq};
use cliproxy_store::{Cursor, NodeBatches, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How long the first batch of a group waits for others.
const GATHER: Duration = Duration::from_millis(20);
/// How many batches are committed together.
const GROUP: usize = 64;

/// How far each reporter's batches are folded into the state, with the streams that want to know. Reporters
/// without a stream are forgotten.
#[derive(Default)]
struct Reporters(BTreeMap<Reporter, Folded>);

struct Folded {
    /// Up to here batches are in the state, or were committed before this process first heard of the reporter.
    up_to: Seq,
    streams: Vec<watch::Sender<Option<Cursor>>>,
}

/// Commits until all senders are gone; or until `give_up`, after which nodes keep what is not acknowledged.
pub(crate) async fn run(
    mut submissions: mpsc::Receiver<Submission>,
    state: Arc<State>,
    metrics: PlaneMetrics,
    give_up: CancellationToken,
) {
    let mut reporters = Reporters::default();
    while let Some(group) = gather(&mut submissions).await {
        let mut backoff = Backoff::default();
        loop {
            match commit(&group, &mut reporters, &state, &metrics).await {
                Ok(()) => break,
                Err(error) => {
                    metrics.store_errors.inc();
                    backoff.report("the ledger waits for the store", &error);
                }
            }
            tokio::select! {
                () = give_up.cancelled() => return,
                () = backoff.wait() => {}
            }
        }
    }
}

/// Waits for a submission and gathers those that come soon after it; `None` when no more can come.
async fn gather(submissions: &mut mpsc::Receiver<Submission>) -> Option<Vec<Submission>> {
    let mut group = vec![submissions.recv().await?];
    let enough = tokio::time::sleep(GATHER);
    tokio::pin!(enough);
    while group.len() < GROUP {
        tokio::select! {
            biased;
            submission = submissions.recv() => match submission {
                Some(submission) => group.push(submission),
                None => break,
            },
            () = &mut enough => break,
        }
    }
    Some(group)
}

/// Commits one group, folds what was new and tells the streams. Safe to repeat after a failure: the cursors
/// decide what is new, and nothing is folded or told before the store has answered.
async fn commit(
    group: &[Submission],
    reporters: &mut Reporters,
    state: &State,
    metrics: &PlaneMetrics,
) -> Result<(), StoreError> {
    reporters.learn(group, state).await?;
    let inputs = by_reporter(group);
    let began = state.clock.now();
    let cursors = state.store.apply_batches(inputs.values().cloned().collect(), state.clock.wall()).await?;
    metrics.commit_seconds.observe(state.clock.now().saturating_duration_since(began).as_secs_f64());
    for ((reporter, input), cursor) in inputs.into_iter().zip(cursors) {
        let Some(folded) = reporters.0.get_mut(&reporter) else { continue };
        let new = newly_committed(input.batches, folded.up_to, cursor.last);
        metrics.batches.inc_by(new.len() as u64);
        metrics.rows.inc_by(new.values().map(|batch| batch.rows.len() as u64).sum());
        let now = state.clock.wall();
        let mut traffic = state.traffic.lock();
        for batch in new.values() {
            traffic.fold(&batch.rows, batch.window_start.plus(batch.window), now);
        }
        drop(traffic);
        folded.up_to = folded.up_to.max(cursor.last);
        for stream in &folded.streams {
            stream.send_replace(Some(cursor.clone()));
        }
    }
    Ok(())
}

impl Reporters {
    /// Gets to know the reporters of a group and their streams. Of a new one the store is asked how far it is
    /// committed, so that a batch that is sent again after a restart is not folded twice.
    async fn learn(&mut self, group: &[Submission], state: &State) -> Result<(), StoreError> {
        for folded in self.0.values_mut() {
            folded.streams.retain(|stream| stream.receiver_count() > 0);
        }
        let wanted: BTreeSet<&Reporter> = group.iter().map(|submission| &submission.reporter).collect();
        self.0.retain(|reporter, folded| !folded.streams.is_empty() || wanted.contains(reporter));
        let unknown: Vec<NodeBatches> = by_reporter(group)
            .into_iter()
            .filter(|(reporter, _)| !self.0.contains_key(reporter))
            .map(|(_, input)| NodeBatches { batches: Vec::new(), ..input })
            .collect();
        if !unknown.is_empty() {
            for cursor in state.store.apply_batches(unknown, state.clock.wall()).await? {
                let reporter = Reporter { node: cursor.node, incarnation: cursor.incarnation };
                self.0.insert(reporter, Folded { up_to: cursor.last, streams: Vec::new() });
            }
        }
        for submission in group {
            if let Some(folded) = self.0.get_mut(&submission.reporter) {
                folded.add(&submission.committed);
            }
        }
        Ok(())
    }
}

impl Folded {
    fn add(&mut self, stream: &watch::Sender<Option<Cursor>>) {
        if !self.streams.iter().any(|known| known.same_channel(stream)) {
            self.streams.push(stream.clone());
        }
    }
}

/// Sorts a group into one input for each reporter.
fn by_reporter(group: &[Submission]) -> BTreeMap<Reporter, NodeBatches> {
    let mut inputs: BTreeMap<Reporter, NodeBatches> = BTreeMap::new();
    for submission in group {
        let input = inputs.entry(submission.reporter.clone()).or_insert_with(|| NodeBatches {
            node: submission.reporter.node.clone(),
            incarnation: submission.reporter.incarnation,
            oldest_unacked: submission.oldest_unacked,
            batches: Vec::new(),
        });
        input.oldest_unacked = input.oldest_unacked.min(submission.oldest_unacked);
        input.batches.extend(submission.batch.clone());
    }
    inputs
}

/// Picks the batches above `folded` up to `committed`, each once.
fn newly_committed(batches: Vec<Batch>, folded: Seq, committed: Seq) -> BTreeMap<Seq, Batch> {
    let new = batches.into_iter().filter(|batch| batch.seq > folded && batch.seq <= committed);
    new.map(|batch| (batch.seq, batch)).collect()
}
