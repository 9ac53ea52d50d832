//! Counting and tidying up.

use super::Lead;
use cliproxy_domain::{Cooldown, ProviderName};
use cliproxy_engine::cooldown::{Stage, stage};
use cliproxy_store::StoreError;
use std::{collections::BTreeMap, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often gauges are set.
const GAUGES: Duration = Duration::from_secs(2);
/// How often checks are handed to the store.
const CHECKS: Duration = Duration::from_secs(10);
/// How often what ended long ago is forgotten.
const FORGET: Duration = Duration::from_secs(60 * 60);
/// How long a rest is remembered that ended, unless it is an operator's word: longer than nodes remember one that was
/// not tried since.
const REMEMBERED: Duration = Duration::from_secs(25 * 60 * 60);

/// Runs until `end`; what was counted until then is handed to the store.
pub(super) async fn run(lead: &Lead, end: &CancellationToken) {
    let [mut gauges, mut checks, mut forget] = [GAUGES, CHECKS, FORGET].map(|every| {
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tick
    });
    loop {
        tokio::select! {
            () = end.cancelled() => break,
            _ = gauges.tick() => set_gauges(lead),
            _ = checks.tick() => count_checks(lead).await,
            _ = forget.tick() => forget_ended(lead).await,
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
    match lead.state.store.record_checks(counts.clone(), None).await {
        Ok(()) => {}
        Err(error) => {
            lead.metrics.store_errors.inc();
            tracing::warn!(%error, "checks could not be counted");
            if !matches!(error, StoreError::CommitUnknown(_)) {
                lead.state.checks.put_back(counts);
            }
        }
    }
}

async fn forget_ended(lead: &Lead) {
    let ended_before = lead.state.clock.wall().minus(REMEMBERED);
    lead.state.hints.forget_ended(ended_before);
    if let Err(error) = lead.state.store.forget_cooldowns(ended_before, None).await {
        lead.metrics.store_errors.inc();
        tracing::warn!(%error, "rests that ended long ago could not be forgotten");
    }
}

/// Counts what rests, by provider and scope.
fn set_gauges(lead: &Lead) {
    let Some(active) = lead.state.active() else { return };
    let now = lead.state.clock.wall();
    let in_force = |rest: &Cooldown| matches!(stage(rest, now), Stage::Resting | Stage::HalfOpen(_));
    let mut counts: BTreeMap<(ProviderName, &'static str), i64> = BTreeMap::new();
    for rest in lead.state.hints.cooldowns_that(in_force) {
        *counts.entry((rest.key.provider.clone(), rest.key.scope.as_str())).or_default() += 1;
    }
    lead.metrics.resting(&active.snapshot, &counts);
}
