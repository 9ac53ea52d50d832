//! The signals that processes obey.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels the returned token at the first SIGTERM or SIGINT. A second one ends the process at once, with exit code 1:
/// whoever asks twice does not want to wait for the drain.
pub fn shutdown() -> anyhow::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = CancellationToken::new();
    let cancelled = shutdown.clone();
    tokio::spawn(async move {
        let signal = next(&mut terminate, &mut interrupt).await;
        tracing::info!(signal, "the process drains and stops");
        cancelled.cancel();
        let signal = next(&mut terminate, &mut interrupt).await;
        tracing::warn!(signal, "the process stops without draining");
        std::process::exit(1);
    });
    Ok(shutdown)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

/// Listens for SIGHUP, which asks for the configuration to be loaded again.
pub fn hang_up() -> anyhow::Result<Signal> {
    Ok(signal(SignalKind::hangup())?)
}
