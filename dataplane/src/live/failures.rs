//! What follows from a failure that this node saw, at once and by itself.

use super::Live;
use cliproxy_domain::{Cooldown, CooldownCause, CooldownKey, Hint, HintKey, ProviderName, Scope};
use cliproxy_engine::cooldown::{Report, Rules, Window, at_once, continued, failed_probe, key_at_once};
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

/// Tells whether a word on a rest says that the errors counted so far of its provider speak no more: an operator
/// spoke, or a probe said that the whole provider is well. One key that is well says nothing of the others' errors.
/// `known` is the word before it.
pub(super) fn excuses(word: &Cooldown, known: Option<&Hint>) -> bool {
    let before = match known {
        Some(Hint::Cooldown(known)) => known.epoch,
        _ => 0,
    };
    let operators = word.cause == CooldownCause::Manual && word.epoch > before;
    operators || (word.cleared && word.key.scope == Scope::Provider)
}

impl Live {
    /// Lets rest what a failure speaks against, by the same rules as the control plane has for all nodes. Gives the
    /// rests that begin or grow. What was seen before an operator's word changes nothing.
    ///
    /// `probed` is the rest that the failed request was to find out about: it goes on.
    pub fn failed(&self, report: &Report, probed: Option<&CooldownKey>) -> Vec<Cooldown> {
        let Some(rules) = self.rules(report) else { return Vec::new() };
        let probe = probed.and_then(|key| failed_probe(&rules, report, self.word_on(key).as_ref()?));
        let known = self.word_on(&key_at_once(report));
        let by_itself = at_once(&rules, report, known.as_ref());
        let counted = match by_itself {
            Some(_) => None,
            None => self.windows.of(&report.subject.provider).lock().note(&rules, report),
        };
        let mut rests = Vec::new();
        for rest in [probe, by_itself, counted].into_iter().flatten() {
            let known = self.word_on(&rest.key);
            let rest = continued(rest, known.as_ref());
            if self.hint(Hint::Cooldown(rest.clone()), report.at) {
                tracing::warn!(subject = %rest.key, until = %rest.until, reason = rest.cause.as_str(),
                    error_type = rest.evidence.error_type, "a rest begins");
                rests.push(rest);
            }
        }
        rests
    }

    /// Gives the rules of the provider that a failure speaks against; none when it is not configured any more, or an
    /// operator has spoken since the request began.
    fn rules(&self, report: &Report) -> Option<Rules> {
        let known = self.known()?;
        let provider = known.snapshot.providers.get(&report.subject.provider)?;
        let outlook = known.outlook();
        let seen = outlook.provider(provider.name.as_str())?;
        let credential = seen.credential(report.subject.credential.as_str())?;
        if report.seen_epoch < seen.epoch(credential, report.subject.model.as_str()) {
            return None;
        }
        Some(Rules::of(&known.snapshot, provider, &report.subject.credential, report.at))
    }

    fn word_on(&self, key: &CooldownKey) -> Option<Cooldown> {
        match self.hint_of(&HintKey::Cooldown(key.clone())) {
            Some(Hint::Cooldown(known)) => Some(known),
            _ => None,
        }
    }
}
