//! Configurations for tests.

use cliproxy_domain::{CooldownDurations, Credential, HealthCheck, Provider, ProviderKind, Secret, Timeouts};

/// Makes a provider with one credential, and lets the test change it.
pub(crate) fn provider(name: &str, change: impl FnOnce(&mut Provider)) -> Provider {
    let mut provider = Provider {
        name: name.into(),
        kind: ProviderKind::OpenAi,
        base_url: format!("https://{name}.example"),
        credentials: vec![Credential { name: "main".into(), api_key: Secret::new("sk"), weight: 1 }],
        models: vec![],
        weight: 1,
        priority: 1,
        timeouts: Timeouts::default(),
        profile: None,
        traits: Vec::new(),
        cooldown: CooldownDurations::default(),
        health_check: HealthCheck::default(),
        quota: None,
        price: None,
    };
    change(&mut provider);
    provider
}
