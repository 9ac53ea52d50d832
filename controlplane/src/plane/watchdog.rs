//! Asks the store once a second whether it can commit, and tells who wants to know.

use crate::{grpc::set_health, metrics::PlaneMetrics, state::State};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use tonic_health::server::HealthReporter;

/// How often the store is asked, and how long it may take to answer.
const EVERY: Duration = Duration::from_secs(1);

/// Runs until `shutdown`.
pub(super) async fn run(
    state: Arc<State>,
    metrics: PlaneMetrics,
    health: HealthReporter,
    shutdown: CancellationToken,
) {
    let mut config = state.config.subscribe();
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = tick.tick() => ping(&state, &metrics).await,
            // The first configuration makes this replica ready.
            Ok(()) = config.changed() => {}
        }
        set_health(&health, state.not_ready().is_none()).await;
    }
    set_health(&health, false).await;
}

async fn ping(state: &State, metrics: &PlaneMetrics) {
    let answer = tokio::time::timeout(EVERY, state.store.ping()).await;
    let failure = match answer {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("no answer within 1 s".to_owned()),
    };
    if failure.is_some() {
        metrics.store_errors.inc();
    }
    let changed = state.database.send_if_modified(|database| {
        let changed = *database != failure.is_none();
        *database = failure.is_none();
        changed
    });
    match failure {
        Some(error) if changed => tracing::error!(error, "the store stopped answering"),
        None if changed => tracing::info!("the store answers again"),
        _ => {}
    }
}
