//! Whether each provider answers, as probes and live traffic say it.

use super::{Decide, Decided, Desk, Turn};
use crate::state::Heard;
use cliproxy_domain::{
    AuditEntry, CooldownCause, CooldownKey, Health, HealthState, Hint, ProbeReport, ProviderName, Snapshot,
    WallTime,
};
use cliproxy_engine::{
    cooldown::{Stage, stage},
    healing::Round,
    health::{Change, Evidence, Machine},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// By how much the number of an operator's word exceeds the next.
const OUTGROWN: u64 = 100;

/// What is known of the health of all providers beside the cluster's word on it.
#[derive(Default)]
pub(crate) struct Healths(BTreeMap<ProviderName, Watched>);

/// What is known of one provider's.
#[derive(Default)]
pub(super) struct Watched {
    pub(super) machine: Machine,
    pub(super) round: Round,
    /// The recovery whose probe was not answered yet: when it was made, and its number.
    pub(super) recovering: Option<(WallTime, u32)>,
    /// Counts probes that are wanted at once.
    pub(super) at_once: u64,
    /// When the last round of recoveries began.
    pub(super) round_began: Option<WallTime>,
    /// The rest that is probed early: when it began, and when it is probed next.
    pub(super) trying: Option<(WallTime, WallTime)>,
    /// When a probe last failed.
    pub(super) probe_failed: Option<WallTime>,
}

/// What probes a provider wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// So many nodes are to probe it.
    pub(crate) nodes: usize,
    /// Counts probes that are wanted at once.
    pub(crate) at_once: u64,
}

/// A word on a provider's health, as the audit log shows it.
#[derive(Serialize)]
struct Told<'a> {
    status: &'a str,
    since: WallTime,
    why: &'a str,
}

impl Healths {
    /// Gives what is known of a provider; of one that is new what `word` says, the word of before a restart.
    pub(super) fn of(
        &mut self,
        provider: &ProviderName,
        word: impl FnOnce() -> Option<Health>,
    ) -> &mut Watched {
        self.0.entry(provider.clone()).or_insert_with(|| {
            let machine = word().map(|word| Machine::restored(word.state, word.since)).unwrap_or_default();
            Watched { machine, ..Watched::default() }
        })
    }

    /// Forgets what is known of a provider: the word on it says more.
    pub(super) fn forget(&mut self, provider: &ProviderName) {
        self.0.remove(provider);
    }

    /// Forgets all providers.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Forgets providers that are not configured.
    pub(super) fn keep_configured(&mut self, snapshot: &Snapshot) {
        self.0.retain(|provider, _| snapshot.providers.contains_key(provider));
    }
}

impl Watched {
    /// Asks for a probe at once. The count outgrows that of a control plane before this one, so that nodes see it.
    pub(super) fn probe_at_once(&mut self, now: WallTime) {
        self.at_once = (self.at_once + 1).max(u64::try_from(now.0).unwrap_or(0));
    }
}

impl Decide {
    /// Takes what was heard of a provider, and stores what follows.
    pub(crate) async fn hear(&self, turn: &Turn, heard: Heard) {
        let decided = match heard {
            Heard::Probe(report, at) => self.on_probe(turn, &report, at),
            Heard::Traffic(provider, evidence) => self.judge(turn, &provider, |machine| {
                machine.note(&turn.active.snapshot.policy.health_check, turn.nodes.len(), &evidence)
            }),
        };
        if !decided.is_empty() {
            self.hand_in(decided).await;
        }
    }

    /// Lets time pass: judges what was not heard, takes the steps of recoveries that are due, and stores what follows.
    /// Gives what probes each provider that is checked wants.
    pub(crate) async fn pass(&self, turn: &Turn) -> BTreeMap<ProviderName, Wanted> {
        let policy = &turn.active.snapshot.policy.health_check;
        let (mut wanted, mut decided) = (BTreeMap::new(), Decided::default());
        for provider in turn.active.snapshot.providers.values() {
            decided.and(
                self.judge(turn, &provider.name, |machine| machine.pass(policy, turn.nodes.len(), turn.now)),
            );
            if turn.is_checked(provider) {
                decided.and(self.heal(turn, &provider.name));
                wanted.insert(provider.name.clone(), self.wanted(&provider.name));
            }
        }
        if !decided.is_empty() {
            self.hand_in(decided).await;
        }
        wanted
    }

    /// Forgets what nodes said that are connected no more.
    pub(crate) fn forget_nodes(&self, lost: &[cliproxy_domain::NodeId]) {
        for watched in self.memory.healths.lock().0.values_mut() {
            lost.iter().for_each(|node| watched.machine.lost(node));
        }
    }

    /// Starts anew with a provider, as an operator says that it recovered: what was counted of it and what is known
    /// of its health is forgotten. Gives the word on its health that is to be said with his; `None` when its health
    /// was not known.
    pub(crate) fn reset_health(&self, provider: &ProviderName) -> Option<Hint> {
        let now = self.state.clock.wall();
        let mut healths = self.memory.healths.lock();
        let watched = healths.of(provider, || self.state.hints.health(provider));
        (watched.round, watched.round_began, watched.recovering, watched.trying) = Default::default();
        let change = watched.machine.reset_to_unknown(now);
        self.memory.desk.lock().windows.clear(provider);
        let word = self.word(provider, &change?);
        // A word of the leader's that is on its way meanwhile must not outgrow his.
        Some(Hint::Health(Health { revision: word.revision + OUTGROWN, ..word }))
    }

    fn wanted(&self, provider: &ProviderName) -> Wanted {
        let mut healths = self.memory.healths.lock();
        let watched = healths.of(provider, || self.state.hints.health(provider));
        let nodes = if watched.machine.wants_second_opinion() { 2 } else { 1 };
        Wanted { nodes, at_once: watched.at_once }
    }

    fn judge(
        &self,
        turn: &Turn,
        provider: &ProviderName,
        judge: impl FnOnce(&mut Machine) -> Option<Change>,
    ) -> Decided {
        let Some(configured) = turn.provider(provider) else { return Decided::default() };
        let mut healths = self.memory.healths.lock();
        let watched = healths.of(provider, || self.state.hints.health(provider));
        match judge(&mut watched.machine) {
            // Where nobody asks, traffic alone says it, and may change its mind every other second. Nothing hangs on it
            // then, so that the audit log is spared.
            Some(change) if !turn.is_checked(configured) => {
                Decided { audit: Vec::new(), ..self.change_health(provider, &change) }
            }
            Some(change) => self.change_health(provider, &change),
            None => Decided::default(),
        }
    }

    fn on_probe(&self, turn: &Turn, report: &ProbeReport, at: WallTime) -> Decided {
        let Some(provider) = turn.provider(&report.provider) else { return Decided::default() };
        self.metrics.probed(&provider.name, report.healthy);
        self.state.checks.count(&provider.name, report.healthy, at);
        let said = match report.http_status {
            0 => report.error_type.clone(),
            status => status.to_string(),
        };
        let evidence = Evidence::probe(report.node.clone(), at, report.healthy, said);
        let began = at.minus(report.took);
        let mut decided = self.on_recovery_probe(turn, &provider.name, report, began);
        decided.and(self.judge(turn, &provider.name, |machine| {
            machine.note(&turn.active.snapshot.policy.health_check, turn.nodes.len(), &evidence)
        }));
        let failed = self.note_probe(&provider.name, report.healthy, at);
        // A 429 says that it answers, not that it takes requests.
        if report.healthy && report.http_status != 429 {
            let mut desk = self.memory.desk.lock();
            decided.and(self.end_error(&mut desk, turn, report, began, failed));
        }
        decided
    }

    /// Notes a probe, and tells when one last failed.
    fn note_probe(&self, provider: &ProviderName, healthy: bool, at: WallTime) -> Option<WallTime> {
        let mut healths = self.memory.healths.lock();
        let watched = healths.of(provider, || self.state.hints.health(provider));
        if !healthy {
            watched.probe_failed = Some(at);
        }
        watched.probe_failed
    }

    /// Ends a provider's rest for its errors when a probe was answered, with self-healing on, where a probe had failed
    /// since a while before it: a provider whose list of models answers all the time while requests fail would be back
    /// over and over. For the same reason not within the rest's first check interval.
    fn end_error(
        &self,
        desk: &mut Desk,
        turn: &Turn,
        report: &ProbeReport,
        began: WallTime,
        failed: Option<WallTime>,
    ) -> Decided {
        let key = CooldownKey::provider(report.provider.clone());
        let Some(rest) = self.state.hints.cooldown(&key) else { return Decided::default() };
        let keeps_away = matches!(stage(&rest, turn.now), Stage::Resting | Stage::HalfOpen(_));
        let policy = &turn.active.snapshot.policy.self_healing;
        let tried_from = rest.started_at.plus(policy.check_interval);
        let window = turn.active.snapshot.policy.cooldown.detection_window;
        let was_down = failed.is_some_and(|failed| failed >= rest.started_at.minus(window));
        let errors = rest.cause == CooldownCause::Error;
        if !policy.enabled || !keeps_away || !errors || !was_down || began < tried_from {
            return Decided::default();
        }
        let seen = (rest.epoch, rest.round);
        self.end_rest(desk, turn, &rest, seen, &report.node, "a health check was answered")
    }

    /// Says on all nodes that a provider's health changed. Called with the healths locked, so that words are numbered
    /// in order.
    pub(super) fn change_health(&self, provider: &ProviderName, change: &Change) -> Decided {
        let before = self.state.hints.health(provider);
        let word = self.word(provider, change);
        let hints = self.spread(vec![Hint::Health(word.clone())]);
        self.metrics.health(provider, change.state);
        tracing::info!(%provider, status = change.state.as_str(), why = change.why, "a provider's health changed");
        let entry = self.ids.entry("health_changed", provider, change.why.clone());
        let audit = vec![AuditEntry {
            before: before.as_ref().map(told).unwrap_or_default(),
            after: told(&word),
            ..entry
        }];
        Decided { hints, audit, ..Decided::default() }
    }

    fn word(&self, provider: &ProviderName, change: &Change) -> Health {
        let before = self.state.hints.health(provider);
        Health {
            revision: before.as_ref().map_or(0, |before| before.revision) + 1,
            provider: provider.clone(),
            state: change.state,
            since: change.since,
            recovered: change.recovered,
            recoveries: before.map_or(0, |before| before.recoveries),
            why: change.why.clone(),
        }
    }

    /// Says on all nodes that a provider is being recovered: each drops its connections to it. Called with the healths
    /// locked.
    pub(super) fn renew(&self, provider: &ProviderName, state: HealthState, since: WallTime) -> Vec<Hint> {
        let before = self.state.hints.health(provider);
        let word = Health {
            revision: before.as_ref().map_or(0, |before| before.revision) + 1,
            provider: provider.clone(),
            state,
            since,
            recovered: false,
            recoveries: before.as_ref().map_or(0, |before| before.recoveries) + 1,
            why: before.map(|before| before.why).unwrap_or_default(),
        };
        self.spread(vec![Hint::Health(word)])
    }
}

fn told(word: &Health) -> String {
    let told = Told { status: word.state.as_str(), since: word.since, why: &word.why };
    // Its keys are texts, so that this does not fail.
    serde_json::to_string(&told).unwrap_or_default()
}
