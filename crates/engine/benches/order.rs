//! What a decision costs over 50 candidates of 2 credentials each, with the allocator of the program.
//!
//! `cargo bench -p cliproxy-engine`. Aim on an idle machine of today: at most 5 µs, whatever the strategy and whatever
//! is known.
#![expect(clippy::unwrap_used, reason = "a scene that cannot be set ends the measurement")]

use cliproxy_domain::{
    Alias, AliasTarget, BudgetId, Cooldown, CooldownCause, CooldownKey, Credential, Dialect, Evidence,
    Health, HealthState, Hint, Measured, NodeId, Operation, Permit, Price, PriceEntry, Provider,
    ProviderKind, Quota, QuotaReset, QuotaSignal, QuotaUnit, Secret, Signal, Snapshot, Strategy, Target,
    WallTime,
};
use cliproxy_engine::{CandidateSet, Idle, Load, Outlook, Scene, explain, order, resolve};
use divan::{Bencher, black_box};

#[global_allocator]
static ALLOC: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: WallTime = WallTime(1_000_000);
const STRATEGIES: [&str; 4] = ["round_robin", "quota_aware", "latency", "cost"];

fn main() {
    divan::main();
}

struct Table {
    outlook: Outlook,
    set: CandidateSet,
    node: NodeId,
}

/// Two calls are open with each credential, and more with every seventh.
struct Open;

impl Load for Open {
    fn in_flight(&self, slot: usize, credential: usize) -> u32 {
        if (slot + credential).is_multiple_of(7) { 9 } else { 2 }
    }
}

impl Table {
    fn new(strategy: &str, equal: bool, hints: bool) -> Self {
        let strategy = Strategy::ALL.into_iter().find(|known| known.as_str() == strategy).unwrap();
        let mut snapshot = Snapshot::default();
        let mut targets = Vec::new();
        for number in 0..50u32 {
            let provider = provider(number, equal);
            let target = Target { provider: provider.name.clone(), model: "model-of-a-usual-name".into() };
            let weight = Some(if equal { 1 } else { 1 + number % 7 });
            targets.push(AliasTarget { target, priority: Some(1), weight });
            snapshot.providers.insert(provider.name.clone(), provider);
        }
        let alias = Alias { name: "smart".into(), targets, strategy: Some(strategy) };
        snapshot.models.insert(alias.name.clone(), alias);
        let hints: Vec<Hint> = if hints { (0..50).flat_map(hints_of).collect() } else { Vec::new() };
        Self {
            outlook: Outlook::of(&snapshot, &hints),
            set: resolve(&snapshot, "smart", Dialect::OpenAiChat, Operation::Generate).unwrap(),
            node: "node-1".into(),
        }
    }

    fn scene<'a, L>(&'a self, ticket: u64, session: Option<u64>, load: &'a L) -> Scene<'a, L> {
        Scene {
            outlook: &self.outlook,
            now: NOW,
            ticket,
            session,
            only: &[],
            streaming: true,
            node: &self.node,
            cut_off: false,
            load,
        }
    }
}

fn name(number: u32) -> String {
    format!("provider-{number:02}")
}

fn provider(number: u32, equal: bool) -> Provider {
    let credential = |place: u32| Credential {
        weight: if equal { 1 } else { 1 + place },
        ..Credential::new(format!("credential-{place}").as_str(), Secret::new("k"))
    };
    Provider {
        name: name(number).into(),
        kind: ProviderKind::OpenAi,
        base_url: "http://localhost".into(),
        credentials: vec![credential(0), credential(1)],
        models: Vec::new(),
        weight: 1,
        priority: 1,
        timeouts: Default::default(),
        profile: None,
        traits: Vec::new(),
        cooldown: Default::default(),
        health_check: Default::default(),
        quota: Some(Quota::new(1_000_000, QuotaUnit::Tokens, QuotaReset::Daily)),
        prices: vec![PriceEntry::for_all(
            Price::new(3_000_000 + u64::from(number % 5), 15_000_000),
            "config-0",
        )],
    }
}

/// Every target is measured and its quota known; of three providers one is rising, and of one a credential rests.
fn hints_of(number: u32) -> Vec<Hint> {
    let provider = || name(number).into();
    let measured = Measured {
        streams: u64::from(number % 9),
        first_event_us: 400_000 + u64::from(number % 11) * 20_000,
        wholes: 9,
        whole_us: 2_000_000,
        input_tokens: 90_000 + u64::from(number),
        output_tokens: 10_000,
    };
    let rest = |key, cleared: bool| {
        Hint::Cooldown(Cooldown {
            key,
            epoch: 0,
            round: 0,
            started_at: NOW,
            until: if cleared { WallTime(NOW.0 - 3_000) } else { WallTime(NOW.0 + 60_000) },
            cleared,
            cause: CooldownCause::RateLimit,
            source: "node-1".into(),
            permit: Permit::default(),
            streak: 1,
            evidence: Evidence::default(),
        })
    };
    let mut hints = vec![
        Hint::Signal(Signal {
            revision: 1,
            provider: provider(),
            model: "model-of-a-usual-name".into(),
            measured,
        }),
        Hint::Quota(QuotaSignal {
            revision: 1,
            budget: BudgetId::of_provider(provider(), QuotaUnit::Tokens),
            used: u64::from(number % 13) * 1_000,
            leased: 0,
            spent_at: None,
            resets_at: WallTime(NOW.0 + 9_000),
        }),
        Hint::Health(Health {
            revision: 1,
            provider: provider(),
            state: HealthState::Healthy,
            since: NOW,
            recovered: false,
            recoveries: 0,
            why: String::new(),
        }),
    ];
    match number % 3 {
        0 => hints.push(rest(CooldownKey::provider(provider()), true)),
        1 => hints.push(rest(CooldownKey::credential(provider(), "credential-1".into()), false)),
        _ => {}
    }
    hints
}

fn measure(bencher: Bencher<'_, '_>, table: &Table, session: Option<u64>) {
    let mut ticket = 0u64;
    bencher.bench_local(|| {
        ticket += 1;
        let session = session.map(|session| session.wrapping_add(ticket));
        match session {
            Some(_) => order(black_box(&table.scene(ticket, session, &Open)), &table.set),
            None => order(black_box(&table.scene(ticket, session, &Idle)), &table.set),
        }
    });
}

/// Nothing is known, and all weigh the same.
#[divan::bench(args = STRATEGIES)]
fn plain(bencher: Bencher<'_, '_>, strategy: &str) {
    measure(bencher, &Table::new(strategy, true, false), None);
}

/// Weights from 1 to 7, and credentials of 1 to 2.
#[divan::bench(args = STRATEGIES)]
fn unequal_weights(bencher: Bencher<'_, '_>, strategy: &str) {
    measure(bencher, &Table::new(strategy, false, false), None);
}

/// The same with rests, slow starts, measurements and quotas.
#[divan::bench(args = STRATEGIES)]
fn unequal_weights_with_hints(bencher: Bencher<'_, '_>, strategy: &str) {
    measure(bencher, &Table::new(strategy, false, true), None);
}

/// A session's requests while others are open.
#[divan::bench(args = STRATEGIES)]
fn session(bencher: Bencher<'_, '_>, strategy: &str) {
    measure(bencher, &Table::new(strategy, false, false), Some(1));
}

/// The same with rests, slow starts, measurements and quotas.
#[divan::bench(args = STRATEGIES)]
fn session_with_hints(bencher: Bencher<'_, '_>, strategy: &str) {
    measure(bencher, &Table::new(strategy, false, true), Some(1));
}

/// Telling why: off the request path, for what is kept of it.
#[divan::bench(args = STRATEGIES)]
fn explained(bencher: Bencher<'_, '_>, strategy: &str) {
    let table = Table::new(strategy, false, true);
    let scene = table.scene(7, Some(1), &Idle);
    let order = order(&scene, &table.set);
    bencher.bench_local(|| explain(black_box(&scene), &table.set, &order, Default::default(), "smart"));
}
