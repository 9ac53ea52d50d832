//! What ends a rest before its time or after it: a probe that was answered, a key that was changed.

use super::{Decide, Decided, Desk, Turn};
use cliproxy_domain::{
    Cooldown, CooldownCause, CooldownKey, CredentialName, Hint, NodeId, ProviderName, Scope, UrgentEvent,
};
use cliproxy_engine::cooldown::clear;

impl Decide {
    /// Ends the rest whose probe was answered, unless something was said since the probe was sent.
    pub(super) fn on_recovered(&self, desk: &mut Desk, turn: &Turn, event: &UrgentEvent) -> Decided {
        let Some((key, round)) = &event.rest else { return Decided::default() };
        let Some(known) = self.state.hints.cooldown(key) else { return Decided::default() };
        // The epoch that the request saw may be that of a wider word; the rest's own is what a verdict is about.
        let seen = (known.epoch.min(event.seen_epoch), *round);
        self.end_rest(desk, turn, &known, seen, &event.node, "the request that tried it was answered")
    }

    /// Ends a rest that was tried in the epoch and round `seen`.
    pub(super) fn end_rest(
        &self,
        desk: &mut Desk,
        turn: &Turn,
        known: &Cooldown,
        seen: (u64, u32),
        by: &NodeId,
        reason: &str,
    ) -> Decided {
        let Some(cleared) = clear(known, seen, by, turn.now) else { return Decided::default() };
        let hints = self.spread(vec![Hint::Cooldown(cleared.clone())]);
        if hints.is_empty() {
            return Decided::default();
        }
        if known.key.scope == Scope::Provider {
            // One key that is well says nothing of the errors of the others.
            desk.windows.clear(&known.key.provider);
        }
        desk.permits.forget(&known.key);
        tracing::info!(subject = %known.key, node = %by, reason, "a rest is over");
        let audit = vec![self.ids.of_rest("cooldown_ended", Some(known), &cleared, reason)];
        Decided { hints, audit, ..Decided::default() }
    }

    /// Ends what rests as a credential was refused or spent that has another key now, and stores it.
    pub(crate) async fn on_key_changed(&self, provider: &ProviderName, credential: &CredentialName) {
        let Some(turn) = self.turn() else { return };
        let whole = CooldownKey::credential(provider.clone(), credential.clone());
        let hangs_on_the_key = |rest: &Cooldown| {
            let cause =
                matches!(rest.cause, CooldownCause::CredentialRejected | CooldownCause::QuotaExhausted);
            rest.key.provider == *provider && whole.scope.covers(&rest.key.scope) && cause && !rest.cleared
        };
        let mut decided = Decided::default();
        for rest in self.state.hints.cooldowns_that(hangs_on_the_key) {
            let (seen, nobody) = ((rest.epoch, rest.round), NodeId::from(""));
            let mut desk = self.memory.desk.lock();
            decided.and(self.end_rest(
                &mut desk,
                &turn,
                &rest,
                seen,
                &nobody,
                "the credential has another key",
            ));
        }
        if !decided.is_empty() {
            self.hand_in(decided).await;
        }
    }

    /// Forgets what was counted of providers that are not configured.
    pub(crate) fn keep_configured(&self) {
        let Some(active) = self.state.active() else { return };
        self.memory.healths.lock().keep_configured(&active.snapshot);
        self.memory.desk.lock().windows.keep_configured(&active.snapshot);
        self.state.checks.keep_configured(&active.snapshot);
        self.state.hints.forget_unconfigured(&active.snapshot);
    }
}
