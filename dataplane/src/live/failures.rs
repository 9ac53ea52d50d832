//! What follows from a failure that this node saw, at once and by itself.

use super::Live;
use cliproxy_domain::{Cooldown, Hint, HintKey, ProviderName};
use cliproxy_engine::cooldown::{Report, Rules, Window, at_once, continued, key_at_once};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// The errors that this node saw of each provider lately. Locked on failures alone.
#[derive(Default)]
pub(super) struct Windows(Mutex<HashMap<ProviderName, Arc<Mutex<Window>>>>);

impl Windows {
    fn of(&self, provider: &ProviderName) -> Arc<Mutex<Window>> {
        Arc::clone(self.0.lock().entry(provider.clone()).or_default())
    }

    /// Forgets providers that are not configured any more.
    pub(super) fn retain(&self, is_configured: impl Fn(&ProviderName) -> bool) {
        self.0.lock().retain(|provider, _| is_configured(provider));
    }

    /// Forgets what was counted of a provider: an operator or a probe said that it is well.
    pub(super) fn clear(&self, provider: &ProviderName) {
        if let Some(window) = self.0.lock().get(provider) {
            window.lock().clear();
        }
    }
}

impl Live {
    /// Lets rest what a failure speaks against, by the same rules as the control plane has for all nodes. Gives the
    /// rest when there is one. What was seen before an operator's word changes nothing.
    pub fn failed(&self, report: &Report) -> Option<Cooldown> {
        let known = self.known()?;
        let provider = known.snapshot.providers.get(&report.subject.provider)?;
        let outlook = known.outlook();
        let seen = outlook.provider(provider.name.as_str())?;
        let credential = seen.credential(report.subject.credential.as_str())?;
        if report.seen_epoch < seen.epoch(credential, report.subject.model.as_str()) {
            return None;
        }
        let quota_resets_at = seen.quota.and_then(|quota| quota.resets_at);
        let rules = Rules::of(&known.snapshot, provider, quota_resets_at);
        let word_on = |key| match self.hint_of(&HintKey::Cooldown(key)) {
            Some(Hint::Cooldown(known)) => Some(known),
            _ => None,
        };
        let before = word_on(key_at_once(report));
        let rest = at_once(&rules, report, before.as_ref());
        let rest = match rest {
            Some(rest) => Some(rest),
            None => self.windows.of(&provider.name).lock().note(&rules, report),
        }?;
        let before = word_on(rest.key.clone());
        let rest = continued(rest, before.as_ref());
        if !self.hint(Hint::Cooldown(rest.clone()), report.at) {
            return None;
        }
        tracing::warn!(subject = %rest.key, until = %rest.until, reason = rest.cause.as_str(),
            error_type = rest.evidence.error_type, "a rest begins");
        Some(rest)
    }
}
