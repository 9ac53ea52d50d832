//! What is decided on beside the state, and what of it another replica's word puts out of date.

use super::{Desk, Healths};
use crate::state::News;
use cliproxy_domain::{Cooldown, Hint, Scope};
use parking_lot::Mutex;
use std::sync::Arc;

/// What is decided on beside the state. Clones are the same. Whoever holds both locks takes the healths' first.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    pub(super) desk: Arc<Mutex<Desk>>,
    pub(super) healths: Arc<Mutex<Healths>>,
}

impl Memory {
    /// Learns what was decided elsewhere.
    pub(crate) fn learn(&self, news: &News) {
        match &news.after {
            // Judged anew from that word on.
            Hint::Health(word) => self.healths.lock().forget(&word.provider),
            Hint::Cooldown(rest) => {
                let before = match &news.before {
                    Some(Hint::Cooldown(before)) => Some(before),
                    _ => None,
                };
                self.learn_rest(before, rest);
            }
            Hint::Probe(_) | Hint::Signal(_) | Hint::Quota(_) | Hint::ClientKey(_) => {}
        }
    }

    fn learn_rest(&self, before: Option<&Cooldown>, rest: &Cooldown) {
        let spoken = rest.epoch > before.map_or(0, |before| before.epoch);
        let ended = rest.cleared && before.is_none_or(|before| !before.cleared);
        let mut desk = self.desk.lock();
        if spoken || (ended && rest.key.scope == Scope::Provider) {
            // What was counted before says nothing of what is after it.
            desk.windows.clear(&rest.key.provider);
        }
        if ended {
            desk.permits.forget(&rest.key);
        }
    }

    /// Judges all providers anew from the words on their health.
    pub(super) fn forget_healths(&self) {
        self.healths.lock().clear();
    }
}
