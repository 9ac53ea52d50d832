//! What rested for a key that was replaced.

use super::Lead;
use tokio_util::sync::CancellationToken;

/// Runs until `end`.
pub(super) async fn run(lead: &Lead, end: &CancellationToken) {
    loop {
        for (provider, credential) in lead.state.rotated.take(lead.state.clock.now()) {
            lead.decide.on_key_changed(&provider, &credential).await;
        }
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            () = lead.state.rotated.ready() => {}
        }
    }
}
