//! Which history of the store this replica goes by.

use arc_swap::ArcSwap;
use cliproxy_domain::HistoryId;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The time through which one history of the store lasts. What nodes were told within it, by numbers, means nothing
/// after it.
pub(crate) struct Era {
    /// The history.
    pub(crate) history: HistoryId,
    /// Cancelled when commits were lost and another history began: whoever speaks of numbers of this one ends.
    pub(crate) over: CancellationToken,
}

/// The era that lasts.
pub(super) struct Eras(ArcSwap<Era>);

impl Eras {
    pub(super) fn new(history: HistoryId) -> Self {
        Self(ArcSwap::from_pointee(Era { history, over: CancellationToken::new() }))
    }

    pub(super) fn current(&self) -> Arc<Era> {
        self.0.load_full()
    }

    /// Begins another era, and ends the one before.
    pub(super) fn begin(&self, history: HistoryId) {
        let next = Era { history, over: CancellationToken::new() };
        self.0.swap(Arc::new(next)).over.cancel();
    }
}
