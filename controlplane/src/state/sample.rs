//! Configurations for tests.

use cliproxy_domain::{CooldownDurations, Credential, HealthCheck, Provider, ProviderKind, Secret, Timeouts};

/// Makes a provider with one credential, and lets the test change it.
pub(crate) fn provider(name: &str, change: impl FnOnce(&mut Provider)) -> Provider {
    let mut provider = Provider {
        name: name.into(),
        kind: ProviderKind::OpenAi,
        base_url: format!("https://{name}.example"),
        credentials: vec![Credential::new("main", Secret::new("sk"))],
        models: vec![],
        weight: 1,
        priority: 1,
        timeouts: Timeouts::default(),
        profile: None,
        traits: Vec::new(),
        cooldown: CooldownDurations::default(),
        health_check: HealthCheck::default(),
        quota: None,
        prices: Vec::new(),
    };
    change(&mut provider);
    provider
}
