//! The signals that processes obey.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels the returned token at the first SIGTERM or SIGINT.
pub fn shutdown() -> anyhow::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = CancellationToken::new();
    let cancelled = shutdown.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "the process drains and stops");
        cancelled.cancel();
    });
    Ok(shutdown)
}

/// Listens for SIGHUP, which asks for the configuration to be loaded again.
pub fn hang_up() -> anyhow::Result<Signal> {
    Ok(signal(SignalKind::hangup())?)
}
