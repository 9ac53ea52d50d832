//! The one loop that commits the ledger and folds what was new into the state.

use super::{Reporter, Submission, names::Names};
use crate::{backoff::Backoff, metrics::PlaneMetrics, state::State};
use cliproxy_domain::{Batch, HistoryId, Seq};
use cliproxy_store::{Cursor, NodeBatches, StoreError, ledger};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How long the first batch of a group waits for others.
const GATHER: Duration = Duration::from_millis(20);
/// How many batches are committed together.
const GROUP: usize = 64;

/// How far each reporter's batches are folded into the state, with the streams that want to know. Reporters
/// without a stream are forgotten.
struct Reporters {
    known: BTreeMap<Reporter, Folded>,
    /// The history that they are of: a cursor of another says nothing of what is folded.
    history: HistoryId,
}

struct Folded {
    /// Up to here batches are in the state, or were committed before this process first heard of the reporter.
    up_to: Seq,
    /// Whether the last of its batches began too far from this replica's clock.
    is_skewed: bool,
    streams: Vec<watch::Sender<Option<Cursor>>>,
}

/// What is committed together.
struct Group {
    inputs: BTreeMap<Reporter, NodeBatches>,
    streams: Vec<(Reporter, watch::Sender<Option<Cursor>>)>,
}

/// Commits until all senders are gone; or until `give_up`, after which nodes keep what is not acknowledged.
pub(crate) async fn run(
    mut submissions: mpsc::Receiver<Submission>,
    state: Arc<State>,
    metrics: PlaneMetrics,
    give_up: CancellationToken,
) {
    let mut reporters = Reporters { known: BTreeMap::new(), history: state.history() };
    let mut names = Names::default();
    while let Some(submissions) = gather(&mut submissions).await {
        let mut group = Group::new(submissions);
        metrics.folded_rows.inc_by(group.fold_names(&mut names, &state));
        let mut backoff = Backoff::default();
        while let Err(error) = commit(&group, &mut reporters, &state, &metrics).await {
            metrics.store_errors.inc();
            backoff.report("the ledger waits for the store", &error);
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
    group: &Group,
    reporters: &mut Reporters,
    state: &State,
    metrics: &PlaneMetrics,
) -> Result<(), StoreError> {
    // Before anything is learnt: whoever holds it may go on in another history, of which that would say nothing.
    let _turn = state.ledger.lock().await;
    reporters.learn(group, state).await?;
    let began = state.clock.now();
    let batches = group.inputs.values().cloned().collect();
    let cursors = state.store.apply_batches(batches, state.clock.wall()).await?;
    metrics.commit_seconds.observe(state.clock.now().saturating_duration_since(began).as_secs_f64());
    for ((reporter, input), cursor) in group.inputs.iter().zip(cursors) {
        let Some(folded) = reporters.known.get_mut(reporter) else { continue };
        let new = newly_committed(&input.batches, folded.up_to, cursor.last);
        metrics.batches.inc_by(new.len() as u64);
        metrics.rows.inc_by(new.values().map(|batch| batch.rows.len() as u64).sum());
        metrics.skewed_batches.inc_by(cursor.skewed);
        metrics.late_batches.inc_by(cursor.late);
        folded.tell_clocks(reporter, &cursor, !new.is_empty());
        let now = state.clock.wall();
        for batch in new.values() {
            state.fold(&reporter.node, batch, now);
        }
        folded.up_to = folded.up_to.max(cursor.last);
        for stream in &folded.streams {
            stream.send_replace(Some(cursor.clone()));
        }
    }
    Ok(())
}

impl Group {
    /// Sorts submissions into one input for each reporter.
    fn new(submissions: Vec<Submission>) -> Self {
        let mut group = Self { inputs: BTreeMap::new(), streams: Vec::new() };
        for Submission { reporter, oldest_unacked, batch, committed } in submissions {
            let input = group.inputs.entry(reporter.clone()).or_insert_with(|| NodeBatches {
                node: reporter.node.clone(),
                incarnation: reporter.incarnation,
                oldest_unacked,
                batches: Vec::new(),
            });
            input.oldest_unacked = input.oldest_unacked.min(oldest_unacked);
            input.batches.extend(batch);
            group.streams.push((reporter, committed));
        }
        group
    }

    /// Bounds the number of names, and gives how many rows lost theirs.
    fn fold_names(&mut self, names: &mut Names, state: &State) -> u64 {
        let (active, now) = (state.active(), state.clock.wall());
        let inputs = self.inputs.values_mut();
        inputs.map(|input| names.fold(&mut input.batches, active.as_deref(), now)).sum()
    }
}

impl Reporters {
    /// Gets to know the reporters of a group and their streams. Of a new one the store is asked how far it is
    /// committed, so that a batch that is sent again after a restart is not folded twice.
    async fn learn(&mut self, group: &Group, state: &State) -> Result<(), StoreError> {
        let history = state.history();
        if self.history != history {
            self.known.clear();
            self.history = history;
        }
        self.known.retain(|reporter, folded| {
            folded.streams.retain(|stream| stream.receiver_count() > 0);
            !folded.streams.is_empty() || group.inputs.contains_key(reporter)
        });
        let unknown: Vec<NodeBatches> = group
            .inputs
            .iter()
            .filter(|(reporter, _)| !self.known.contains_key(reporter))
            .map(|(_, input)| NodeBatches {
                node: input.node.clone(),
                incarnation: input.incarnation,
                oldest_unacked: input.oldest_unacked,
                batches: Vec::new(),
            })
            .collect();
        if !unknown.is_empty() {
            for cursor in state.store.apply_batches(unknown, state.clock.wall()).await? {
                let reporter = Reporter { node: cursor.node, incarnation: cursor.incarnation };
                self.known
                    .insert(reporter, Folded { up_to: cursor.last, is_skewed: false, streams: Vec::new() });
            }
        }
        for (reporter, stream) in &group.streams {
            if let Some(folded) = self.known.get_mut(reporter) {
                folded.add(stream);
            }
        }
        Ok(())
    }
}

impl Folded {
    /// Says in the log what was set aside, and when a node's clock begins or ends to be too far off.
    fn tell_clocks(&mut self, reporter: &Reporter, cursor: &Cursor, is_new: bool) {
        let Reporter { node, incarnation } = reporter;
        if cursor.late > 0 {
            tracing::warn!(
                %node, %incarnation, batches = cursor.late,
                "usage was set aside: it may have been counted before this process was forgotten"
            );
        }
        let is_skewed = cursor.skewed > 0;
        if !is_new || is_skewed == self.is_skewed {
            return;
        }
        self.is_skewed = is_skewed;
        if is_skewed {
            tracing::warn!(
                %node, %incarnation, off_by = ?ledger::MAX_SKEW,
                "windows of usage lie further than this from our clock and are counted at that distance: they come \
                 late, or a clock is wrong"
            );
        } else {
            tracing::info!(%node, %incarnation, "windows of usage are near our clock again");
        }
    }

    fn add(&mut self, stream: &watch::Sender<Option<Cursor>>) {
        if !self.streams.iter().any(|known| known.same_channel(stream)) {
            self.streams.push(stream.clone());
        }
    }
}

/// Picks the batches above `folded` up to `committed`, each once.
fn newly_committed(batches: &[Batch], folded: Seq, committed: Seq) -> BTreeMap<Seq, &Batch> {
    let new = batches.iter().filter(|batch| batch.seq > folded && batch.seq <= committed);
    new.map(|batch| (batch.seq, batch)).collect()
}

#[cfg(test)]
mod tests;
