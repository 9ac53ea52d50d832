//! What all nodes reported of each provider lately.

use cliproxy_domain::{Cooldown, ProviderName, Snapshot, WallTime};
use cliproxy_engine::cooldown::{Report, Rules, Window};
use std::{collections::BTreeMap, time::Duration};

/// How many events that nothing follows from are recorded of one provider within a minute. The ledger counts all of
/// them.
const RECORDED: u32 = 100;
const MINUTE: Duration = Duration::from_secs(60);

/// The windows of all providers that failed lately.
#[derive(Default)]
pub(super) struct Windows(BTreeMap<ProviderName, OfProvider>);

#[derive(Default)]
struct OfProvider {
    errors: Window,
    /// When the minute began in which so many events were recorded.
    recorded: (WallTime, u32),
}

impl Windows {
    /// Notes a failure, and gives the rest that follows when it is one too many.
    pub(super) fn note(&mut self, rules: &Rules, report: &Report) -> Option<Cooldown> {
        self.of(&report.subject.provider).errors.note(rules, report)
    }

    /// Tells whether one more event of a provider that nothing follows from is worth a place in the store.
    pub(super) fn records(&mut self, provider: &ProviderName, now: WallTime) -> bool {
        let (began, recorded) = &mut self.of(provider).recorded;
        if now.since(*began) >= MINUTE {
            (*began, *recorded) = (now, 0);
        }
        *recorded += 1;
        *recorded <= RECORDED
    }

    /// Forgets what was counted of a provider: an operator or a probe said that it is well.
    pub(super) fn clear(&mut self, provider: &ProviderName) {
        if let Some(known) = self.0.get_mut(provider) {
            known.errors.clear();
        }
    }

    /// Forgets providers that are not configured.
    pub(super) fn keep_configured(&mut self, snapshot: &Snapshot) {
        self.0.retain(|provider, _| snapshot.providers.contains_key(provider));
    }

    fn of(&mut self, provider: &ProviderName) -> &mut OfProvider {
        if !self.0.contains_key(provider) {
            self.0.insert(provider.clone(), OfProvider::default());
        }
        self.0.entry(provider.clone()).or_default()
    }
}
