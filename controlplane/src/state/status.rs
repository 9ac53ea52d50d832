//! The answers of the operations calls, which REST and gRPC share.

use super::{ActiveConfig, State, traffic::Minute};
use cliproxy_domain::{
    Alias, CooldownCause, Exclusion, Provider, ProviderName, WallTime,
    status::{
        AliasShares, LoadBalancingStatus, ProviderShare, ProviderStatus, ProvidersStatus, Source, TargetShare,
    },
};
use cliproxy_engine::{Outlook, cooldown::Stage};
use cliproxy_store::StoreError;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

/// Over which time uptime is told.
const UPTIME_SPAN: Duration = Duration::from_secs(24 * 60 * 60);
/// How old a remembered uptime may be. It moves once a minute, and the sum over a day is not free.
const UPTIME_AGE: Duration = Duration::from_secs(1);

/// The share of minutes in which each provider answered, and when that was asked of the store.
pub(super) struct Uptime {
    asked: Instant,
    shares: Arc<BTreeMap<ProviderName, f64>>,
}

impl State {
    /// Tells how every configured provider is.
    ///
    /// # Errors
    ///
    /// Fails when the store never told the uptimes; once it has, what it said last is used while it is away.
    pub(crate) async fn providers_status(&self) -> Result<ProvidersStatus, StoreError> {
        let uptime = self.uptime().await?;
        let now = self.clock.wall();
        let Some(active) = self.active() else {
            return Ok(ProvidersStatus { source: Source::Cluster, as_of: now, providers: BTreeMap::new() });
        };
        let resting = Resting { outlook: self.outlook(), now };
        let traffic = self.traffic.lock();
        let providers = active.snapshot.providers.values().map(|provider| {
            let share = uptime.get(&provider.name).copied();
            let minute = traffic.minute(&provider.name, now);
            (provider.name.clone(), provider_status(minute, resting.reason(provider), share))
        });
        Ok(ProvidersStatus { source: Source::Cluster, as_of: now, providers: providers.collect() })
    }

    /// Tells how requests spread over the providers.
    pub(crate) fn load_balancing_status(&self) -> LoadBalancingStatus {
        let now = self.clock.wall();
        let Some(active) = self.active() else {
            return LoadBalancingStatus { as_of: now, ..Default::default() };
        };
        let resting = Resting { outlook: self.outlook(), now };
        let providers = self.provider_shares(&active, &resting, now);
        let available: BTreeSet<ProviderName> =
            providers.iter().filter(|(_, share)| share.available).map(|(name, _)| name.clone()).collect();
        let models = active.snapshot.models.values().map(|alias| {
            let strategy = alias.strategy.unwrap_or(active.snapshot.policy.strategy);
            let targets = alias_targets(&active, alias, &available);
            (alias.name.clone(), AliasShares { strategy, targets, ..AliasShares::default() })
        });
        LoadBalancingStatus {
            source: Source::Cluster,
            as_of: now,
            config: active.id,
            strategy: active.snapshot.policy.strategy,
            models: models.collect(),
            providers,
        }
    }

    fn provider_shares(
        &self,
        active: &ActiveConfig,
        resting: &Resting,
        now: WallTime,
    ) -> BTreeMap<ProviderName, ProviderShare> {
        let traffic = self.traffic.lock();
        let calls = |provider: &Provider| traffic.minute(&provider.name, now).attempts.attempts();
        let all: u64 = active.snapshot.providers.values().map(calls).sum();
        let share = |provider: &Provider| {
            let rests = resting.reason(provider).is_some();
            let calls = calls(provider);
            ProviderShare {
                priority: provider.priority,
                weight: provider.weight,
                available: !rests,
                excluded: rests.then(|| Exclusion::Cooldown.as_str().to_owned()),
                requests_last_minute: calls,
                share_percent: if all == 0 { 0.0 } else { percent(calls as f64 / all as f64) },
                ..ProviderShare::default()
            }
        };
        active.snapshot.providers.values().map(|provider| (provider.name.clone(), share(provider))).collect()
    }

    /// Gives the uptimes, asked of the store at most once a second.
    async fn uptime(&self) -> Result<Arc<BTreeMap<ProviderName, f64>>, StoreError> {
        let now = self.clock.now();
        let known = self.uptime.lock().as_ref().map(|known| (known.asked, Arc::clone(&known.shares)));
        if let Some((asked, shares)) = &known
            && now.saturating_duration_since(*asked) < UPTIME_AGE
        {
            return Ok(Arc::clone(shares));
        }
        let wall = self.clock.wall();
        // A minute belongs to the range that holds its beginning, so the one that runs is within.
        let minutes = wall.minus(UPTIME_SPAN)..wall.plus(Duration::from_millis(1));
        match (self.store.answered_share(minutes).await, known) {
            (Ok(shares), _) => {
                let shares = Arc::new(shares);
                *self.uptime.lock() = Some(Uptime { asked: now, shares: Arc::clone(&shares) });
                Ok(shares)
            }
            (Err(error), Some((_, shares))) => {
                tracing::warn!(%error, "the store did not tell the uptimes; showing what it said before");
                Ok(shares)
            }
            (Err(error), None) => Err(error),
        }
    }
}

/// What rests at one moment.
struct Resting {
    outlook: Arc<Outlook>,
    now: WallTime,
}

impl Resting {
    /// Tells why a provider rests: the cause of the credential that is back first. `None` when one of its
    /// credentials does not rest.
    fn reason(&self, provider: &Provider) -> Option<CooldownCause> {
        let known = self.outlook.provider(provider.name.as_str())?;
        let mut first: Option<(WallTime, CooldownCause)> = None;
        for credential in &known.credentials {
            // No model has that name: what rests for one model does not count.
            let rest = match known.governing(credential, "", self.now)? {
                (rest, Stage::Resting) => (rest.until, rest.cause),
                _ => return None,
            };
            first = Some(first.map_or(rest, |first| first.min(rest)));
        }
        first.map(|(_, cause)| cause)
    }
}

fn provider_status(minute: Minute, reason: Option<CooldownCause>, uptime: Option<f64>) -> ProviderStatus {
    ProviderStatus {
        status: minute.health,
        in_cooldown: reason.is_some(),
        last_check: minute.last_heard,
        uptime_percent: percent(uptime.unwrap_or(1.0)),
        requests_last_minute: minute.attempts.attempts(),
        errors_last_minute: minute.attempts.errors(),
        average_latency_ms: minute.attempts.latency_us.checked_div(minute.attempts.ok).unwrap_or(0) / 1_000,
        cooldown_reason: reason,
        ..ProviderStatus::default()
    }
}

fn alias_targets(
    active: &ActiveConfig,
    alias: &Alias,
    available: &BTreeSet<ProviderName>,
) -> Vec<TargetShare> {
    let targets = alias.targets.iter().map(|entry| {
        let provider = active.snapshot.providers.get(&entry.target.provider);
        TargetShare {
            provider: entry.target.provider.clone(),
            model: entry.target.model.clone(),
            priority: entry.priority.or(provider.map(|p| p.priority)).unwrap_or_default(),
            weight: entry.weight.or(provider.map(|p| p.weight)).unwrap_or_default(),
            available: available.contains(&entry.target.provider),
        }
    });
    targets.collect()
}

/// Turns a share into per cent with two places, which is what people read.
fn percent(share: f64) -> f64 {
    (share * 10_000.0).round() / 100.0
}
