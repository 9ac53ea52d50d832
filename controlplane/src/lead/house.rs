//! Counting and tidying up what the store has.

use super::Lead;
use crate::state::REMEMBERED;
use cliproxy_store::StoreError;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often checks are handed to the store.
const CHECKS: Duration = Duration::from_secs(10);
/// How often the store is tidied up. Each time it rolls up a few hours at most, which makes up for a pause.
const TIDY: Duration = Duration::from_secs(10 * 60);

/// Runs until `end`; what was counted until then is handed to the store.
pub(super) async fn run(lead: &Lead, end: &CancellationToken) {
    let [mut checks, mut tidy] = [CHECKS, TIDY].map(|every| {
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tick
    });
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => break,
            _ = checks.tick() => count_checks(lead).await,
            _ = tidy.tick() => tidy_up(lead).await,
        }
    }
    count_checks(lead).await;
}

/// Hands the checks to the store. What it did not say whether it took is not handed in again: it would count twice.
async fn count_checks(lead: &Lead) {
    let counts = lead.state.checks.take();
    if counts.is_empty() {
        return;
    }
    match lead.state.store.record_checks(counts.clone(), lead.fence()).await {
        Ok(()) => {}
        // Whoever leads now has counted them too.
        Err(StoreError::Fenced(_)) => lead.refused("checks"),
        Err(error) => {
            lead.metrics.store_errors.inc();
            tracing::warn!(%error, "checks could not be counted");
            if !matches!(error, StoreError::CommitUnknown(_)) {
                lead.state.checks.put_back(counts);
            }
        }
    }
}

/// Has the store forget what is past its time.
async fn tidy_up(lead: &Lead) {
    let now = lead.state.clock.wall();
    let forgotten = lead.state.store.forget_cooldowns(now.minus(REMEMBERED), lead.fence()).await;
    report(lead, forgotten, "rests that ended long ago could not be forgotten");
    let tidied = lead.state.store.tidy(now, lead.fence()).await;
    report(lead, tidied, "the store could not be tidied up");
}

fn report(lead: &Lead, answer: Result<(), StoreError>, what: &'static str) {
    match answer {
        Ok(()) => {}
        Err(StoreError::Fenced(_)) => lead.refused("tidying up"),
        Err(error) => {
            lead.metrics.store_errors.inc();
            tracing::warn!(%error, "{what}");
        }
    }
}
