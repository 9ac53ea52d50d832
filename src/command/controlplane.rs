//! `cliproxy controlplane`: configures nodes and keeps their books.

use super::{reload, setup, signals};
use crate::cli::Common;
use cliproxy_observe::metrics::Metrics;

/// Runs until SIGTERM or SIGINT.
pub async fn run(common: &Common) -> anyhow::Result<()> {
    setup::install_tls_provider();
    let request = setup::load_request(common);
    let (loaded, _log) = setup::start(&request)?;
    let shutdown = signals::shutdown()?;
    let metrics = Metrics::new();
    let starting = Box::pin(setup::control_plane(loaded, request, &metrics));
    let Some(started) = shutdown.run_until_cancelled(starting).await else { return Ok(()) };
    let (plane, configuration) = started?;
    let reloading = tokio::spawn(reload::follow(configuration, plane.reload_wanted(), shutdown.clone()));
    Box::pin(plane.run(shutdown)).await;
    reloading.await?
}
