//! Providers, what is known of them, and decisions among them, for tests.

use crate::{CandidateSet, Idle, Load, Order, Outlook, Scene, candidates::Candidate, cooldown::RISE, order};
use cliproxy_domain::{
    BudgetId, Cooldown, CooldownCause, CooldownDurations, CooldownKey, Credential, Evidence, Health,
    HealthCheck, HealthPolicy, HealthState, Hint, LimitSubject, Measured, NodeId, Permit, Price, Provider,
    ProviderKind, ProviderName, Quota, QuotaReset, QuotaSignal, QuotaUnit, Secret, Signal, Snapshot,
    Strategy, Target, Timeouts, WallTime,
};
use std::time::Duration;

/// When all of it happens.
pub(crate) const NOW: WallTime = WallTime(1_000_000);

/// Makes a provider of credentials without weights.
pub(crate) fn provider(name: &str, credentials: &[&str]) -> Provider {
    let credential = |name: &&str| Credential::new(*name, Secret::new("k"));
    Provider {
        name: name.into(),
        kind: ProviderKind::OpenAi,
        base_url: "http://localhost".into(),
        credentials: credentials.iter().map(credential).collect(),
        models: Vec::new(),
        weight: 1,
        priority: 1,
        timeouts: Timeouts::default(),
        profile: None,
        traits: Vec::new(),
        cooldown: CooldownDurations::default(),
        health_check: HealthCheck::default(),
        quota: None,
        prices: Vec::new(),
    }
}

/// A configuration, its hints and a model's candidates: the model `m` of each provider.
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) hints: Vec<Hint>,
    pub(crate) set: CandidateSet,
    pub(crate) node: NodeId,
    pub(crate) now: WallTime,
    pub(crate) session: Option<u64>,
    pub(crate) only: Vec<ProviderName>,
    pub(crate) streaming: bool,
    pub(crate) cut_off: bool,
}

impl World {
    /// Has these providers, named in the order of the alphabet, with their credentials.
    pub(crate) fn of(providers: &[(&str, &[&str])]) -> Self {
        let mut snapshot = Snapshot::default();
        snapshot.policy.health_check = HealthPolicy { enabled: true, ..HealthPolicy::default() };
        let mut candidates = Vec::new();
        for (slot, (name, credentials)) in providers.iter().enumerate() {
            snapshot.providers.insert((*name).into(), provider(name, credentials));
            candidates.push(Candidate {
                target: Target { provider: (*name).into(), model: "m".into() },
                slot,
                priority: 1,
                weight: 1,
                price: None,
                plain: true,
                calls_by_responses: false,
                behind: false,
            });
        }
        assert!(providers.is_sorted(), "a snapshot has its providers in the order of the alphabet");
        let set = CandidateSet { candidates, excluded: Vec::new(), strategy: Strategy::RoundRobin };
        Self {
            snapshot,
            hints: Vec::new(),
            set,
            node: "here".into(),
            now: NOW,
            session: None,
            only: Vec::new(),
            streaming: false,
            cut_off: false,
        }
    }

    /// Has providers `a`, `b`, `c` … with one credential `k` each, and these weights.
    pub(crate) fn weighted(weights: &[u32]) -> Self {
        let names: Vec<String> =
            (b'a'..).map(|name| char::from(name).to_string()).take(weights.len()).collect();
        let providers: Vec<(&str, &[&str])> =
            names.iter().map(|name| (name.as_str(), &["k"] as &[&str])).collect();
        let mut world = Self::of(&providers);
        for (candidate, weight) in world.set.candidates.iter_mut().zip(weights) {
            candidate.weight = *weight;
        }
        world
    }

    pub(crate) fn by(mut self, strategy: Strategy) -> Self {
        self.set.strategy = strategy;
        self
    }

    pub(crate) fn candidate(&mut self, provider: &str) -> &mut Candidate {
        let mut candidates = self.set.candidates.iter_mut();
        candidates.find(|candidate| candidate.target.provider.as_str() == provider).unwrap()
    }

    pub(crate) fn provider(&mut self, name: &str) -> &mut Provider {
        self.snapshot.providers.get_mut(name).unwrap()
    }

    pub(crate) fn priority(mut self, provider: &str, priority: u32) -> Self {
        self.candidate(provider).priority = priority;
        self
    }

    pub(crate) fn credential_weights(mut self, provider: &str, weights: &[u32]) -> Self {
        for (credential, weight) in self.provider(provider).credentials.iter_mut().zip(weights) {
            credential.weight = *weight;
        }
        self
    }

    /// Prices 1,000 tokens in billionths of a US dollar.
    pub(crate) fn price(mut self, provider: &str, input: u64, output: u64) -> Self {
        self.candidate(provider).price = Some(Price::new(input, output));
        self
    }

    pub(crate) fn quota(mut self, provider: &str, unit: QuotaUnit, limit: u64, used: u64) -> Self {
        self.provider(provider).quota = Some(Quota::new(limit, unit, QuotaReset::Daily));
        self.used(LimitSubject::Provider(provider.into()), unit, used, 0)
    }

    /// Has so much used of a budget, and so much of it in the hands of nodes.
    pub(crate) fn used(mut self, subject: LimitSubject, unit: QuotaUnit, used: u64, leased: u64) -> Self {
        let signal = QuotaSignal {
            revision: 1,
            budget: BudgetId { subject, unit },
            used,
            leased,
            spent_at: None,
            resets_at: WallTime(NOW.0 + 9_000),
        };
        self.hints.push(Hint::Quota(signal));
        self
    }

    pub(crate) fn measured(mut self, provider: &str, measured: Measured) -> Self {
        self.hints.push(Hint::Signal(Signal {
            revision: 1,
            provider: provider.into(),
            model: "m".into(),
            measured,
        }));
        self
    }

    pub(crate) fn health(mut self, provider: &str, state: HealthState) -> Self {
        self.hints.push(Hint::Health(Health {
            revision: 1,
            provider: provider.into(),
            state,
            since: NOW,
            recovered: false,
            recoveries: 0,
            why: String::new(),
        }));
        self
    }

    /// Lets a provider, or one credential of it, rest as `change` says; without it, until 60 s from now.
    pub(crate) fn rest(
        mut self,
        provider: &str,
        credential: Option<&str>,
        change: impl FnOnce(&mut Cooldown),
    ) -> Self {
        let key = match credential {
            None => CooldownKey::provider(provider.into()),
            Some(credential) => CooldownKey::credential(provider.into(), credential.into()),
        };
        let mut rest = Cooldown {
            key,
            epoch: 0,
            round: 0,
            started_at: NOW,
            until: NOW.plus(Duration::from_secs(60)),
            cleared: false,
            cause: CooldownCause::RateLimit,
            source: self.node.clone(),
            permit: Permit { number: 0, node: Some(self.node.clone()) },
            streak: 1,
            evidence: Evidence::default(),
        };
        change(&mut rest);
        self.hints.push(Hint::Cooldown(rest));
        self
    }

    /// Lets a provider, or one credential of it, take `percent` of its share after a rest.
    pub(crate) fn rising(self, provider: &str, credential: Option<&str>, percent: u32) -> Self {
        let ago = RISE * percent / 100;
        self.rest(provider, credential, |rest| {
            rest.cleared = true;
            rest.until = NOW.minus(ago);
        })
    }

    pub(crate) fn for_session(mut self, session: u64) -> Self {
        self.session = Some(session);
        self
    }

    pub(crate) fn outlook(&self) -> Outlook {
        Outlook::of(&self.snapshot, &self.hints)
    }

    pub(crate) fn scene<'a, L: Load>(
        &'a self,
        outlook: &'a Outlook,
        ticket: u64,
        load: &'a L,
    ) -> Scene<'a, L> {
        Scene {
            outlook,
            now: self.now,
            ticket,
            session: self.session,
            only: &self.only,
            streaming: self.streaming,
            node: &self.node,
            cut_off: self.cut_off,
            load,
        }
    }

    pub(crate) fn order(&self, ticket: u64) -> Order {
        order(&self.scene(&self.outlook(), ticket, &Idle), &self.set)
    }

    /// Gives the order as `provider/credential`.
    pub(crate) fn names(&self, ticket: u64) -> Vec<String> {
        let outlook = self.outlook();
        let order = order(&self.scene(&outlook, ticket, &Idle), &self.set);
        named(&order, &self.set, &outlook)
    }

    /// Gives what each of the tickets goes to first.
    pub(crate) fn firsts(&self, tickets: impl IntoIterator<Item = u64>) -> Vec<String> {
        let outlook = self.outlook();
        let first = |ticket| {
            let order = order(&self.scene(&outlook, ticket, &Idle), &self.set);
            named(&order, &self.set, &outlook).into_iter().next().unwrap_or_default()
        };
        tickets.into_iter().map(first).collect()
    }

    /// Counts how often `name` is in what [`firsts`](Self::firsts) gives.
    pub(crate) fn count(&self, tickets: impl IntoIterator<Item = u64>, name: &str) -> usize {
        self.firsts(tickets).iter().filter(|first| *first == name).count()
    }
}

pub(crate) fn named(order: &Order, set: &CandidateSet, outlook: &Outlook) -> Vec<String> {
    let name = |pick: &crate::Pick| {
        let choice = order.choice(set, outlook, *pick).unwrap();
        format!("{}/{}", choice.target.provider, choice.credential)
    };
    order.picks.iter().map(name).collect()
}
