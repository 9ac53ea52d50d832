//! Configurations that other replicas numbered.

use super::Replicas;
use cliproxy_domain::ConfigId;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the store is asked which is the newest.
const EVERY: Duration = Duration::from_secs(1);
/// How often it is tried again to make one that cannot be made here: a file that it refers to may have come since.
const RETRY: u32 = 10;

/// Runs until `end`. Beside the log, as reading a text may take a while.
pub(super) async fn run(replicas: &Replicas, end: &CancellationToken) {
    let Some(configurations) = &replicas.configurations else { return };
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The configuration that was tried last, and how often one was found to be missing since.
    let mut tried = (ConfigId(0), 0_u32);
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            () = replicas.wanted.number.notified() => {
                configurations.number_again().await;
                tried = Default::default();
            }
            () = replicas.wanted.configuration.notified() => {}
            _ = tick.tick() => {}
        }
        let Some(newest) = newest(replicas).await else { continue };
        let offered = replicas.state.offered();
        if newest == offered {
            continue;
        }
        if newest < offered {
            // The store has another history, and has not numbered it yet.
            configurations.number_again().await;
            continue;
        }
        tried = if newest == tried.0 { (newest, tried.1 + 1) } else { (newest, 0) };
        if tried.1.is_multiple_of(RETRY) {
            configurations.take_up().await;
        }
    }
}

/// Asks the store for the newest number, 0 when there is none; `None` when it does not answer.
async fn newest(replicas: &Replicas) -> Option<ConfigId> {
    match replicas.state.store.configs(1).await {
        Ok(newest) => Some(newest.first().map_or(ConfigId(0), |config| config.id)),
        Err(error) => {
            replicas.metrics.store_errors.inc();
            tracing::debug!(%error, "the store did not say which configuration is the newest");
            None
        }
    }
}
