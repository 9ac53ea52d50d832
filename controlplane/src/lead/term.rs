//! Who leads: the lease in the store, and what ends a term.

use super::{Lead, jobs};
use crate::state::Term;
use cliproxy_domain::{Fence, LeaseName, ReplicaId};
use cliproxy_host::Entropy;
use cliproxy_store::StoreError;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long a lease holds without being renewed, by the store's clock: another one leads within five seconds, the time
/// that it takes to ask for the lease included.
const TTL: Duration = Duration::from_millis(4_750);
/// How often it is renewed.
const RENEW: Duration = Duration::from_millis(1_500);
/// How long after the last renewal was sent this replica still holds it by its own clock, which may run slow.
const HELD: Duration = Duration::from_millis(4_250);
/// How soon a renewal that failed is tried again.
const AGAIN: Duration = Duration::from_millis(250);
/// How long the end waits for what jobs have counted.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Over which time the candidates spread when the lease is given up.
const JITTER_MS: u64 = 50;

/// Who stands for the lease.
pub(crate) struct Candidate {
    pub(crate) replica: ReplicaId,
    pub(crate) entropy: Entropy,
    /// Cancelled when it is known which nodes are connected to the other replicas: without, their permits would be handed
    /// on and their probes assigned anew.
    pub(crate) settled: CancellationToken,
}

/// Why a term ended.
enum Ended {
    Shutdown,
    /// The store did not answer for so long that another may lead.
    Silent,
    /// Another one leads, or the store has another history.
    Lost,
}

/// Leads whenever no other replica does, until `end`. Where there can be no other, it leads from the start, whether the
/// store answers or not.
pub(crate) async fn run(lead: Lead, candidate: Candidate, end: CancellationToken) {
    if lead.state.store.doorbell().is_none() {
        begin(&lead, None);
        jobs(&lead, &end).await;
        return;
    }
    tokio::select! {
        () = end.cancelled() => return,
        () = candidate.settled.cancelled() => {}
    }
    while !end.is_cancelled() {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            (epoch, sent) = won(&lead, &candidate) => rule(&lead, &candidate, epoch, sent, &end).await,
        }
    }
}

/// Asks for the lease until it is won; gives its epoch, and when the winning call was sent.
async fn won(lead: &Lead, candidate: &Candidate) -> (u64, Instant) {
    loop {
        let sent = lead.state.clock.now();
        let wait = match ask(lead, candidate, RENEW).await {
            Ok(lease) if lease.holder == candidate.replica.as_str() => return (lease.epoch, sent),
            Ok(lease) => {
                lead.state.fleet.led(lease.epoch);
                lead.metrics.leader_epoch.set(i64::try_from(lease.epoch).unwrap_or(i64::MAX));
                lease.left.clamp(Duration::from_millis(10), RENEW)
            }
            Err(error) => {
                lead.metrics.store_errors.inc();
                tracing::debug!(%error, "the store did not say who leads");
                AGAIN
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = lead.state.leading.is_vacant() => {}
        }
        let jitter = candidate.entropy.next_u64() % JITTER_MS;
        tokio::time::sleep(Duration::from_millis(jitter)).await;
    }
}

async fn ask(
    lead: &Lead,
    candidate: &Candidate,
    patience: Duration,
) -> Result<cliproxy_domain::Lease, StoreError> {
    let asked = lead.state.store.lead(LeaseName::control_loop(), candidate.replica.to_string(), TTL);
    let late = || Err(StoreError::Unavailable("no answer in time".to_owned()));
    tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| late())
}

/// Leads until the term ends.
async fn rule(lead: &Lead, candidate: &Candidate, epoch: u64, sent: Instant, end: &CancellationToken) {
    let holder = candidate.replica.to_string();
    let fence = Fence { lease: LeaseName::control_loop(), holder, epoch };
    let term = Term { fence: Some(fence.clone()) };
    let lead = Lead { decide: lead.decide.under(&term), term, ..lead.clone() };
    begin(&lead, Some(sent + HELD));
    let ended = {
        let running = jobs(&lead, end);
        tokio::pin!(running);
        let ended = tokio::select! {
            // What ends the term comes first: a process that slept finds out before it does anything else.
            biased;
            ended = renewed(&lead, candidate, epoch, sent) => ended,
            () = end.cancelled() => Ended::Shutdown,
            () = &mut running => Ended::Shutdown,
        };
        if matches!(ended, Ended::Shutdown) {
            // They hand in what they have counted.
            let _ = tokio::time::timeout(LAST_WORDS, running).await;
        }
        ended
    };
    cease(&lead);
    match ended {
        Ended::Shutdown => {
            resign(&lead, fence).await;
            tracing::info!(epoch, "this replica leads no more: it ends");
        }
        Ended::Silent => tracing::warn!(epoch, "this replica leads no more: the store does not answer"),
        Ended::Lost => {
            tracing::warn!(epoch, "this replica leads no more: another does, or the store is another")
        }
    }
}

fn begin(lead: &Lead, until: Option<Instant>) {
    let epoch = lead.term.fence.as_ref().map_or(0, |fence| fence.epoch);
    lead.decide.judge_anew();
    lead.state.reports.judge(true);
    lead.state.quotas.forget();
    lead.state.fleet.led(epoch);
    lead.state.leading.begin(lead.term.clone(), until);
    lead.metrics.leading.set(1);
    lead.metrics.leader_epoch.set(i64::try_from(epoch).unwrap_or(i64::MAX));
    tracing::info!(epoch, "this replica leads");
}

fn cease(lead: &Lead) {
    lead.state.leading.end();
    lead.metrics.leading.set(0);
    lead.state.reports.judge(false);
    lead.decide.judge_anew();
    // Whoever leads next measures and adds up; here nothing reads it.
    lead.state.quotas.forget();
    lead.state.meter.restart(Duration::ZERO);
    drop(lead.state.checks.take());
}

/// Renews the lease until the term is over.
async fn renewed(lead: &Lead, candidate: &Candidate, epoch: u64, sent: Instant) -> Ended {
    let clock = &lead.state.clock;
    let (mut until, mut next) = (sent + HELD, sent + RENEW);
    loop {
        let wait = next.min(until).saturating_duration_since(clock.now());
        tokio::select! {
            biased;
            () = lead.state.leading.ended() => return Ended::Lost,
            () = tokio::time::sleep(wait) => {}
        }
        let sent = clock.now();
        if sent >= until {
            return Ended::Silent;
        }
        if sent < next {
            continue;
        }
        match ask(lead, candidate, until.saturating_duration_since(sent)).await {
            Ok(lease) if (lease.holder.as_str(), lease.epoch) == (candidate.replica.as_str(), epoch) => {
                (until, next) = (sent + HELD, sent + RENEW);
                lead.state.leading.extend(until);
            }
            Ok(_) => return Ended::Lost,
            Err(error) => {
                lead.metrics.store_errors.inc();
                tracing::debug!(%error, epoch, "the lease could not be renewed");
                next = sent + AGAIN;
            }
        }
    }
}

/// Gives the lease up, so that another takes it at once.
async fn resign(lead: &Lead, fence: Fence) {
    match tokio::time::timeout(LAST_WORDS, lead.state.store.resign(fence)).await {
        Ok(Ok(())) => lead.state.outbox.resigned(),
        Ok(Err(error)) => tracing::debug!(%error, "the lease could not be given up; it runs out"),
        Err(_) => tracing::debug!("the lease could not be given up in time; it runs out"),
    }
}
