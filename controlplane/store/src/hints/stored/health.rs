//! The body of a provider's health.

use cliproxy_domain::{Health, HealthState, ProviderName, WallTime};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct Body {
    revision: u64,
    provider: String,
    state: HealthState,
    since_ms: i64,
    #[serde(default)]
    recovered: bool,
    #[serde(default)]
    recoveries: u64,
    #[serde(default)]
    why: String,
}

impl Body {
    pub(super) fn of(health: &Health) -> Self {
        Self {
            revision: health.revision,
            provider: health.provider.to_string(),
            state: health.state,
            since_ms: health.since.0,
            recovered: health.recovered,
            recoveries: health.recoveries,
            why: health.why.clone(),
        }
    }

    pub(super) fn into_health(self) -> Health {
        Health {
            revision: self.revision,
            provider: ProviderName::from(self.provider),
            state: self.state,
            since: WallTime(self.since_ms),
            recovered: self.recovered,
            recoveries: self.recoveries,
            why: self.why,
        }
    }
}
