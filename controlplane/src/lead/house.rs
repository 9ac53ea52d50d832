//! Counting and tidying up what the store has.

use super::Lead;
use crate::state::REMEMBERED;
use cliproxy_domain::{Hint, KeyHash, WallTime};
use cliproxy_store::StoreError;
use std::{collections::BTreeSet, time::Duration};
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

/// Has the store forget what is past its time, after what must not be forgotten is said.
async fn tidy_up(lead: &Lead) {
    let now = lead.state.clock.wall();
    keep_ends_of_keys(lead, now).await;
    let forgotten = lead.state.store.forget_cooldowns(now.minus(REMEMBERED), lead.fence()).await;
    report(lead, forgotten, "rests that ended long ago could not be forgotten");
    let tidied = lead.state.store.tidy(now, lead.fence()).await;
    report(lead, tidied, "the store could not be tidied up");
}

/// Keeps the ends of clients' keys that the configuration names by now: with its record forgotten, such a key would be
/// valid again. There is a month in which to do that.
async fn keep_ends_of_keys(lead: &Lead, now: WallTime) {
    let Some(active) = lead.state.active() else { return };
    let keys = active.snapshot.clients.values().flat_map(|client| &client.keys);
    let configured: BTreeSet<KeyHash> = keys.map(|key| key.hash).collect();
    let records = lead.state.hints.client_keys().into_iter();
    let words: Vec<Hint> = records
        .filter(|record| configured.contains(&record.hash))
        .filter_map(|record| record.taken_up(now))
        .map(Hint::ClientKey)
        .collect();
    if !words.is_empty() {
        tracing::info!(
            keys = words.len(),
            "keys that are over are in the configuration; that they are over is kept"
        );
        lead.decide.say_alone(words).await;
    }
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
