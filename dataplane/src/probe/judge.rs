//! Whether providers answer, as this node finds by itself while nobody else tells it.

use crate::{
    live::Live,
    sync::{HealthWords, Judgement},
};
use cliproxy_domain::{
    AttemptCounts, Cooldown, CooldownCause, HealthPolicy, HealthState, LedgerRow, NodeId, ProbeReport,
    ProviderName, Snapshot, WallTime,
};
use cliproxy_engine::{
    cooldown::{Stage, stage},
    healing::{Round, Step},
    health::{Change, Evidence, Machine},
};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::sync::Notify;

/// Judges providers while the control plane is away, and heals them where there is none.
pub struct Judge {
    live: Arc<Live>,
    health: Arc<HealthWords>,
    node: NodeId,
    /// There is no control plane: what it would do for providers that do not answer, this node does.
    heals: bool,
    /// Told when credentials should be read again from where they live.
    reload_wanted: Arc<Notify>,
    /// How many nodes probe for themselves while this one does: each that much more seldom.
    pace: AtomicU32,
    /// Empty while the control plane is heard.
    cases: Mutex<BTreeMap<ProviderName, Case>>,
}

struct Case {
    machine: Machine,
    /// The recoveries of a provider that is down.
    round: Round,
    /// Those of one that rests for its errors.
    rest_round: Round,
    /// When a recovery began whose probe was not answered yet.
    recovering: Option<WallTime>,
}

impl Judge {
    /// Judges for `node`, alone when `heals`.
    pub fn new(live: Arc<Live>, health: Arc<HealthWords>, node: NodeId, heals: bool) -> Self {
        Self {
            live,
            health,
            node,
            heals,
            reload_wanted: Arc::default(),
            pace: AtomicU32::new(1),
            cases: Mutex::default(),
        }
    }

    /// Gives what is told when a recovery wants the credentials to be read again.
    pub fn reload_wanted(&self) -> Arc<Notify> {
        Arc::clone(&self.reload_wanted)
    }

    /// Takes note of how many nodes probe for themselves while this one does.
    pub(super) fn keep_pace(&self, node_count: u32) {
        self.pace.store(node_count.max(1), Ordering::Relaxed);
    }

    /// Gives the policy as it holds for this node: what is heard so seldom must not be forgotten between.
    fn policy(&self, snapshot: &Snapshot) -> HealthPolicy {
        let policy = snapshot.policy.health_check;
        HealthPolicy { interval: policy.interval.saturating_mul(self.pace.load(Ordering::Relaxed)), ..policy }
    }

    /// Takes in what clients' requests found in one window of the ledger, and lets time pass. Called once a second.
    pub fn traffic(&self, rows: &[LedgerRow], now: WallTime) {
        let mut calls: BTreeMap<&ProviderName, AttemptCounts> = BTreeMap::new();
        for row in rows {
            *calls.entry(&row.key.provider).or_default() += row.attempts;
        }
        self.with_cases(|snapshot, cases| {
            let policy = &self.policy(snapshot);
            for (provider, case) in cases {
                let heard = calls.get(provider);
                let evidence = heard.and_then(|counts| Evidence::traffic(self.node.clone(), now, counts));
                let change = match evidence {
                    Some(evidence) => case.machine.note(policy, 1, &evidence),
                    None => case.machine.pass(policy, 1, now),
                };
                self.say(provider, change, now);
            }
        });
    }

    /// Takes in what a probe found.
    pub fn probe(&self, report: &ProbeReport, now: WallTime) {
        self.with_cases(|snapshot, cases| {
            let Some(case) = cases.get_mut(&report.provider) else { return };
            let began = now.minus(report.took);
            let is_of_recovery = case.recovering.take_if(|recovering| *recovering <= began).is_some();
            if is_of_recovery && report.healthy {
                self.end_rest(&report.provider, now);
                let change = case.machine.recovered_by_probe(now);
                self.say(&report.provider, change, now);
                return;
            }
            let said = if report.http_status > 0 {
                report.http_status.to_string()
            } else {
                report.error_type.clone()
            };
            let evidence = Evidence::probe(self.node.clone(), now, report.healthy, said);
            let change = case.machine.note(&self.policy(snapshot), 1, &evidence);
            self.say(&report.provider, change, now);
        });
    }

    /// Does what is due for providers that do not answer; gives those that are to be probed at once.
    pub(super) fn heal(&self, now: WallTime) -> Vec<ProviderName> {
        let mut probed = Vec::new();
        if !self.heals {
            return probed;
        }
        self.with_cases(|snapshot, cases| {
            let policy = &snapshot.policy.self_healing;
            for (provider, case) in cases {
                match case.round.next(policy, case.machine.state(), now) {
                    None => {}
                    Some(Step::Recover { attempt }) => {
                        let why = format!("recovery {attempt} of {}", policy.max_attempts.max(1));
                        self.recover(provider, case, why, now);
                        probed.push(provider.clone());
                        continue;
                    }
                    Some(Step::GiveUp) => {
                        let change = case.machine.to_failed(policy.max_attempts.max(1), now);
                        tracing::error!(%provider, "a provider has failed: its recoveries did not help");
                        self.say(provider, change, now);
                    }
                }
                // A rest for errors is healed like an illness: found over early, if it is.
                let rests = match self.rest_for_errors(provider, now) {
                    Some(_) => HealthState::Unhealthy,
                    None => HealthState::Healthy,
                };
                if let Some(Step::Recover { .. }) = case.rest_round.next(policy, rests, now) {
                    self.recover(provider, case, "it rests for its errors".to_owned(), now);
                    probed.push(provider.clone());
                }
            }
        });
        probed
    }

    /// Starts a provider anew, as an operator says that it recovered.
    pub fn reset(&self, provider: &ProviderName, now: WallTime) {
        self.with_cases(|_, cases| {
            let Some(case) = cases.get_mut(provider) else { return };
            (case.round, case.rest_round, case.recovering) = Default::default();
            let change = case.machine.reset_to_unknown(now);
            self.say(provider, change, now);
        });
    }

    /// Runs `act` on the case of each configured provider, while the control plane is away.
    fn with_cases(&self, act: impl FnOnce(&Snapshot, &mut BTreeMap<ProviderName, Case>)) {
        let mut cases = self.cases.lock();
        let Some(known) = self.live.known().filter(|_| self.live.is_cut_off()) else {
            cases.clear();
            return;
        };
        cases.retain(|provider, _| known.snapshot.providers.contains_key(provider));
        for provider in known.snapshot.providers.keys() {
            if !cases.contains_key(provider) {
                let word = self.health.in_force(provider);
                let machine =
                    word.map_or_else(Machine::default, |word| Machine::restored(word.state, word.since));
                let case =
                    Case { machine, round: Round::default(), rest_round: Round::default(), recovering: None };
                cases.insert(provider.clone(), case);
            }
        }
        act(&known.snapshot, &mut cases);
    }

    /// Drops the connections to a provider, so that its name is asked anew, and has its credentials read again. A probe
    /// must follow.
    fn recover(&self, provider: &ProviderName, case: &mut Case, why: String, now: WallTime) {
        case.recovering = Some(now);
        tracing::info!(%provider, why, "a recovery is tried");
        let known = self.health.in_force(provider);
        let judgement = Judgement {
            provider: provider.clone(),
            state: case.machine.state(),
            since: known.as_ref().map_or(now, |known| known.since),
            recovered: known.as_ref().is_some_and(|known| known.recovered),
            recoveries: known.as_ref().map_or(0, |known| known.recoveries) + 1,
            why: known.filter(|known| !known.why.is_empty()).map_or(why, |known| known.why),
        };
        self.health.judged(judgement, now);
        self.reload_wanted.notify_one();
    }

    /// Gives the rest that the errors of a provider as a whole put it into.
    fn rest_for_errors(&self, provider: &ProviderName, now: WallTime) -> Option<Cooldown> {
        let outlook = self.live.known()?.outlook();
        let rest = outlook.provider(provider.as_str())?.rest.clone()?;
        let applies = rest.cause == CooldownCause::Error && stage(&rest, now) == Stage::Resting;
        applies.then_some(rest)
    }

    /// Ends such a rest, as the probe of a recovery was answered.
    fn end_rest(&self, provider: &ProviderName, now: WallTime) {
        if let Some(rest) = self.rest_for_errors(provider, now) {
            self.live.clear(&rest.key, (rest.epoch, rest.round), &self.node, now);
        }
    }

    fn say(&self, provider: &ProviderName, change: Option<Change>, now: WallTime) {
        let Some(Change { state, since, recovered, why }) = change else { return };
        tracing::info!(%provider, state = state.as_str(), why, "the node's own word on a provider's health");
        let recoveries = self.health.in_force(provider).map_or(0, |word| word.recoveries);
        let provider = provider.clone();
        self.health.judged(Judgement { provider, state, since, recovered, recoveries, why }, now);
    }
}
