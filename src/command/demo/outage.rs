//! Takes one simulated provider down for a while, again and again.

use super::{healthy, traffic::Progress};
use cliproxy_mock_provider::{Behaviour, ErrorKind, MockProvider, Rule, Script};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const UP: Duration = Duration::from_secs(10);
const DOWN: Duration = Duration::from_secs(10);

/// Breaks one provider after another until `shutdown`; gives them back, whole.
pub async fn now_and_then(
    mocks: Vec<MockProvider>,
    progress: Arc<Progress>,
    shutdown: CancellationToken,
) -> Vec<MockProvider> {
    let broken =
        || Script { rules: vec![Rule::new(Behaviour::error(ErrorKind::ServerError))], ..Script::default() };
    let rounds = async {
        for index in (0..mocks.len()).cycle() {
            tokio::time::sleep(UP).await;
            set(&mocks[index], broken());
            progress.down(Some(index));
            tokio::time::sleep(DOWN).await;
            set(&mocks[index], healthy());
            progress.down(None);
        }
    };
    tokio::select! {
        () = rounds => {}
        () = shutdown.cancelled() => {}
    }
    mocks
}

fn set(mock: &MockProvider, script: Script) {
    // Our own scripts are valid; one that is not would only spoil the show.
    if let Err(error) = mock.set(script) {
        tracing::warn!(%error, "the simulated provider did not take its script");
    }
}
