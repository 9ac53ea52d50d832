//! What is done for a provider that does not answer.

use super::{Decide, Decided, Turn, health::Watched};
use cliproxy_domain::{
    AuditEntry, CooldownCause, CooldownKey, HealingPolicy, ProbeReport, ProviderName, WallTime,
};
use cliproxy_engine::{
    cooldown::{Stage, stage},
    healing::Step,
};

/// What a recovery does, in order, as the audit log names it and as people read it.
const ACTIONS: [(&str, &str); 4] = [
    ("recovery_connections_dropped", "every node drops its pooled connections"),
    ("recovery_name_resolved", "every node asks for the provider's address anew"),
    ("recovery_credentials_reloaded", "credentials are read anew from where they live"),
    ("recovery_probed", "one probe is sent at once"),
];

impl Watched {
    /// Gives the step that is due. A round begins at least a check interval after the one before: a provider that goes
    /// down again right after it was recovered would have its connections dropped over and over.
    fn next_step(&mut self, policy: &HealingPolicy, now: WallTime) -> Option<Step> {
        let state = self.machine.state();
        let earliest = self.round_began.map(|began| began.plus(policy.check_interval));
        if state.is_down() && self.round.due().is_none() && earliest.is_some_and(|earliest| now < earliest) {
            return None;
        }
        let step = self.round.next(policy, state, now);
        if step == Some(Step::Recover { attempt: 1 }) {
            self.round_began = Some(now);
        }
        step
    }
}

impl Decide {
    /// Takes the step that is due for a provider, if any. While no node is connected nothing could be done, so that
    /// no attempt is spent.
    pub(super) fn heal(&self, turn: &Turn, provider: &ProviderName) -> Decided {
        let policy = &turn.active.snapshot.policy.self_healing;
        if turn.nodes.is_empty() {
            return Decided::default();
        }
        let mut healths = self.memory.healths.lock();
        let watched = healths.of(provider, || self.state.hints.health(provider));
        self.try_early(turn, provider, policy, watched);
        let mut decided = Decided::default();
        let step = watched.next_step(policy, turn.now);
        if step.is_some()
            && let Some((_, attempt)) = watched.recovering.take()
        {
            decided.and(self.recovery_failed(provider, attempt, "its probe was not answered"));
        }
        match step {
            Some(Step::Recover { attempt }) => decided.and(self.recover(turn, provider, watched, attempt)),
            Some(Step::GiveUp) => decided.and(self.give_up(turn, provider, watched, policy.max_attempts)),
            None => {}
        }
        decided
    }

    fn recover(&self, turn: &Turn, provider: &ProviderName, watched: &mut Watched, attempt: u32) -> Decided {
        let (state, since) = (watched.machine.state(), watched.machine.since());
        let hints = self.renew(provider, state, since);
        self.reload.notify_one();
        watched.probe_at_once(turn.now);
        watched.recovering = Some((turn.now, attempt));
        tracing::info!(%provider, attempt, "a provider that does not answer is being recovered");
        let entry = |(action, what): (&str, &str)| {
            self.ids.entry(action, provider, format!("recovery {attempt}: {what}"))
        };
        Decided { hints, audit: ACTIONS.into_iter().map(entry).collect(), ..Decided::default() }
    }

    fn give_up(&self, turn: &Turn, provider: &ProviderName, watched: &mut Watched, attempts: u32) -> Decided {
        self.metrics.recovered("given_up");
        tracing::error!(%provider, attempts, "a provider does not answer, and no recovery helped");
        let why = format!("{attempts} recoveries did not help; the next round begins at the next check");
        let mut decided =
            Decided { audit: vec![self.ids.entry("recovery_given_up", provider, why)], ..Decided::default() };
        if let Some(change) = watched.machine.to_failed(attempts, turn.now) {
            decided.and(self.change_health(provider, &change));
            let reason = format!("{provider} has failed: {}", change.why);
            decided.audit.push(self.ids.entry("alert", provider, reason));
        }
        decided
    }

    /// Takes the answer to a recovery's probe: any probe that began after the recovery.
    pub(super) fn on_recovery_probe(
        &self,
        turn: &Turn,
        provider: &ProviderName,
        report: &ProbeReport,
        began: WallTime,
    ) -> Decided {
        let mut healths = self.memory.healths.lock();
        let watched = healths.of(provider, || self.state.hints.health(provider));
        let Some((since, attempt)) = watched.recovering.filter(|(since, _)| began >= *since) else {
            return Decided::default();
        };
        watched.recovering = None;
        if !report.healthy {
            let what = if report.http_status == 0 {
                report.error_type.clone()
            } else {
                report.http_status.to_string()
            };
            return self.recovery_failed(provider, attempt, &format!("its probe failed ({what})"));
        }
        let Some(change) = watched.machine.recovered_by_probe(turn.now) else { return Decided::default() };
        self.metrics.recovered("succeeded");
        let mut decided = self.change_health(provider, &change);
        let took = turn.now.since(since).as_secs();
        let reason = format!("recovery {attempt}: its probe was answered after {took} s");
        let entry = self.ids.entry("recovery_succeeded", provider, reason);
        decided.audit.push(AuditEntry { from: report.node.to_string(), ..entry });
        decided
    }

    fn recovery_failed(&self, provider: &ProviderName, attempt: u32, why: &str) -> Decided {
        self.metrics.recovered("failed");
        tracing::warn!(%provider, attempt, why, "a recovery did not help");
        let reason = format!("recovery {attempt}: {why}");
        Decided { audit: vec![self.ids.entry("recovery_failed", provider, reason)], ..Decided::default() }
    }

    /// Has a provider probed that rests for its errors, at each check interval: the answer to a probe ends the rest.
    fn try_early(&self, turn: &Turn, provider: &ProviderName, policy: &HealingPolicy, watched: &mut Watched) {
        let rest = self.state.hints.cooldown(&CooldownKey::provider(provider.clone()));
        let rest = rest.filter(|rest| {
            rest.cause == CooldownCause::Error && stage(rest, turn.now) == Stage::Resting && policy.enabled
        });
        let Some(rest) = rest else {
            watched.trying = None;
            return;
        };
        let (began, due) = watched
            .trying
            .filter(|(began, _)| *began == rest.started_at)
            .unwrap_or((rest.started_at, rest.started_at.plus(policy.check_interval)));
        watched.trying = Some((began, due));
        if turn.now >= due {
            watched.probe_at_once(turn.now);
            watched.trying = Some((began, turn.now.plus(policy.check_interval)));
        }
    }
}
