//! What was heard of providers and not judged yet.

use cliproxy_domain::{ProbeReport, ProviderName, WallTime};
use cliproxy_engine::health::Evidence;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering},
};
use tokio::sync::Notify;

/// How much may wait; of more the oldest is dropped, which was one observation of many.
const WAITING: usize = 10_000;

/// Something that was heard of a provider.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    /// A probe ended, at this time by the control plane's clock.
    Probe(ProbeReport, WallTime),
    /// A node called the provider.
    Traffic(ProviderName, Evidence),
}

/// The queue to whoever judges.
#[derive(Default)]
pub(crate) struct Reports {
    /// Whether anybody does.
    judged: AtomicBool,
    waiting: Mutex<VecDeque<Heard>>,
    ready: Notify,
}

impl Reports {
    /// Begins or ends to judge here; what waited is forgotten.
    pub(crate) fn judge(&self, judged: bool) {
        self.judged.store(judged, Ordering::Relaxed);
        self.waiting.lock().clear();
    }

    /// Adds what was heard. It is forgotten where nobody judges.
    pub(crate) fn push(&self, heard: impl IntoIterator<Item = Heard>) {
        if !self.judged.load(Ordering::Relaxed) {
            return;
        }
        let mut waiting = self.waiting.lock();
        for one in heard {
            if waiting.len() >= WAITING {
                waiting.pop_front();
            }
            waiting.push_back(one);
        }
        drop(waiting);
        self.ready.notify_one();
    }

    /// Waits until something was added since the last time. Safe to cancel.
    pub(crate) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Takes all that waits, in the order in which it came.
    pub(crate) fn take(&self) -> VecDeque<Heard> {
        std::mem::take(&mut *self.waiting.lock())
    }
}
