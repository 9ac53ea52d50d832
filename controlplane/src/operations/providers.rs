//! How every configured provider is.

use super::{OperationError, Operations};
use cliproxy_domain::{
    Health, HealthState, Provider, WallTime,
    status::{ProviderStatus, ProvidersStatus, Source},
};
use cliproxy_engine::{
    ProviderOutlook,
    status::{all_rejected, percent, provider_rest},
};

impl Operations {
    /// Tells how every configured provider is; of none before there is a configuration.
    ///
    /// # Errors
    /// Fails when the store never told the uptimes.
    pub(crate) async fn providers_status(&self) -> Result<ProvidersStatus, OperationError> {
        let uptimes = self.uptimes().await?;
        let now = self.state.clock.wall();
        let mut status =
            ProvidersStatus { source: Source::Cluster, as_of: now, ..ProvidersStatus::default() };
        let Some(active) = self.state.active() else { return Ok(status) };
        let outlook = self.state.outlook();
        for provider in active.snapshot.providers.values() {
            let uptime = uptimes.get(&provider.name).copied().unwrap_or(1.0);
            let known = outlook.provider(provider.name.as_str());
            status
                .providers
                .insert(provider.name.clone(), self.provider_status(provider, known, uptime, now));
        }
        Ok(status)
    }

    fn provider_status(
        &self,
        provider: &Provider,
        known: Option<&ProviderOutlook>,
        uptime: f64,
        now: WallTime,
    ) -> ProviderStatus {
        let minute = self.state.traffic.lock().minute(&provider.name, now);
        let (status, why) = judged(known, now);
        let rest = known.and_then(|known| provider_rest(known, now));
        ProviderStatus {
            status,
            in_cooldown: rest.is_some(),
            last_check: minute.last_heard.max(self.state.checks.last(&provider.name)),
            uptime_percent: percent(uptime),
            requests_last_minute: minute.attempts.attempts(),
            errors_last_minute: minute.attempts.errors(),
            average_latency_ms: minute.attempts.latency_us.checked_div(minute.attempts.ok).unwrap_or(0)
                / 1_000,
            cooldown_reason: rest.map(|rest| rest.cause),
            why,
        }
    }
}

/// Gives the cluster's word on a provider's health, and what it was decided on. A provider that takes none of its
/// credentials answers, but nobody's requests.
pub(super) fn judged(known: Option<&ProviderOutlook>, now: WallTime) -> (HealthState, String) {
    let Some(known) = known else { return (HealthState::Unknown, String::new()) };
    let (state, why) = match &known.health {
        Some(Health { state, why, .. }) => (*state, why.clone()),
        None => (HealthState::Unknown, String::new()),
    };
    if !state.is_down() && all_rejected(known, now) {
        return (HealthState::Unhealthy, "it refused all of its credentials".to_owned());
    }
    (state, why)
}
