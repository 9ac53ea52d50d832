//! The bodies of the configuration kinds, field by field.

use super::{
    super::{
        ConvertError, at_least_one, millis, required,
        word::{self, Word},
    },
    Entry, limit, operations, price, profile, traits,
};
use crate::v1;
use cliproxy_domain::{
    Alias, AliasTarget, CooldownDurations, Credential, CredentialName, HealthCheck, ModelName, ModelPattern,
    Policy, Provider, ProviderKind, ProviderName, Retries, Secret, Target, Timeouts, TranslationPolicy,
};
use prost::Message;
use std::{collections::BTreeSet, time::Duration};

/// Decodes the body of `entry`.
pub(super) fn decode<M: Message + Default>(entry: &Entry, kind: &'static str) -> Result<M, ConvertError> {
    M::decode(entry.body.clone()).map_err(|error| ConvertError::Body {
        kind,
        key: entry.key.clone(),
        error: error.to_string(),
    })
}

/// Refuses a body that came under another name than its own.
pub(super) fn check_name(entry: &Entry, kind: &'static str, name: &str) -> Result<(), ConvertError> {
    if entry.key == name {
        Ok(())
    } else {
        Err(ConvertError::WrongName { kind, key: entry.key.clone(), name: name.to_owned() })
    }
}

pub(super) fn provider_to_wire(provider: &Provider) -> v1::Provider {
    v1::Provider {
        name: provider.name.to_string(),
        kind: provider.kind.word().to_owned(),
        base_url: provider.base_url.clone(),
        credentials: provider.credentials.iter().map(credential_to_wire).collect(),
        models: provider.models.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
        weight: provider.weight,
        priority: provider.priority,
        timeouts: Some(timeouts_to_wire(&provider.timeouts)),
        profile: provider.profile.as_ref().map(profile::to_wire),
        traits: provider.traits.iter().map(traits::to_wire).collect(),
        cooldown: Some(operations::durations_to_wire(&provider.cooldown)),
        health_check: Some(operations::check_to_wire(&provider.health_check)),
        quota: provider.quota.as_ref().map(limit::quota_to_wire),
        price: price::for_older(&provider.prices),
        prices: provider.prices.iter().map(price::to_wire).collect(),
    }
}

pub(super) fn provider_from_wire(wire: &v1::Provider) -> Result<Provider, ConvertError> {
    let base_url = required("Provider.base_url", &wire.base_url)?;
    if !base_url.starts_with("http://") && !base_url.starts_with("https://") {
        return Err(ConvertError::UnknownWord {
            field: "Provider.base_url",
            value: base_url.to_owned(),
            expected: "http://…, https://…".to_owned(),
        });
    }
    if wire.credentials.is_empty() {
        return Err(ConvertError::Missing { field: "Provider.credentials" });
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = wire.credentials.iter().find(|credential| !names.insert(&credential.name)) {
        return Err(ConvertError::Duplicate { field: "Credential.name", value: twice.name.clone() });
    }
    let kind = word::read("Provider.kind", &wire.kind)?;
    if wire.profile.is_some() && kind != ProviderKind::OpenAiCompatible {
        return Err(ConvertError::UnknownWord {
            field: "Provider.kind of a provider with a profile",
            value: wire.kind.clone(),
            expected: ProviderKind::OpenAiCompatible.word().to_owned(),
        });
    }
    Ok(Provider {
        name: ProviderName::from(required("Provider.name", &wire.name)?),
        kind,
        base_url: base_url.to_owned(),
        credentials: wire.credentials.iter().map(credential_from_wire).collect::<Result<_, _>>()?,
        models: wire.models.iter().map(ModelPattern::new).collect(),
        weight: at_least_one("Provider.weight", wire.weight)?,
        priority: wire.priority,
        timeouts: timeouts_from_wire("Provider.timeouts", wire.timeouts.as_ref())?,
        profile: wire.profile.as_ref().map(profile::from_wire).transpose()?,
        traits: wire.traits.iter().map(traits::from_wire).collect::<Result<_, _>>()?,
        cooldown: match &wire.cooldown {
            Some(durations) => operations::durations_from_wire(durations)?,
            None => CooldownDurations::default(),
        },
        health_check: match &wire.health_check {
            Some(check) => operations::check_from_wire(check)?,
            None => HealthCheck::default(),
        },
        quota: wire.quota.as_ref().map(limit::quota_from_wire).transpose()?,
        prices: price::all_from_wire(wire)?,
    })
}

fn credential_to_wire(credential: &Credential) -> v1::Credential {
    v1::Credential {
        name: credential.name.to_string(),
        api_key: credential.api_key.expose().to_owned(),
        weight: credential.weight,
        rate_limit: limit::rates_to_wire(&credential.rate_limit),
        quota: credential.quota.as_ref().map(limit::quota_to_wire),
    }
}

fn credential_from_wire(wire: &v1::Credential) -> Result<Credential, ConvertError> {
    Ok(Credential {
        name: CredentialName::from(required("Credential.name", &wire.name)?),
        // Servers on loopback often take no key; an empty one is a configuration's choice, not a mistake here.
        api_key: Secret::new(wire.api_key.clone()),
        weight: at_least_one("Credential.weight", wire.weight)?,
        rate_limit: limit::rates_from_wire(wire.rate_limit.as_ref())?,
        quota: wire.quota.as_ref().map(limit::quota_from_wire).transpose()?,
    })
}

fn timeouts_to_wire(timeouts: &Timeouts) -> v1::Timeouts {
    v1::Timeouts {
        connect_ms: millis(timeouts.connect),
        first_byte_ms: millis(timeouts.first_byte),
        idle_ms: millis(timeouts.idle),
        total_ms: millis(timeouts.total),
    }
}

fn timeouts_from_wire(field: &'static str, wire: Option<&v1::Timeouts>) -> Result<Timeouts, ConvertError> {
    let wire = wire.ok_or(ConvertError::Missing { field })?;
    Ok(Timeouts {
        connect: Duration::from_millis(wire.connect_ms),
        first_byte: Duration::from_millis(wire.first_byte_ms),
        idle: Duration::from_millis(wire.idle_ms),
        total: Duration::from_millis(wire.total_ms),
    })
}

pub(super) fn alias_to_wire(alias: &Alias) -> v1::Alias {
    v1::Alias {
        name: alias.name.to_string(),
        targets: alias.targets.iter().map(target_to_wire).collect(),
        strategy: alias.strategy.map(|strategy| strategy.word().to_owned()).unwrap_or_default(),
    }
}

pub(super) fn alias_from_wire(wire: &v1::Alias) -> Result<Alias, ConvertError> {
    if wire.targets.is_empty() {
        return Err(ConvertError::Missing { field: "Alias.targets" });
    }
    let strategy = match wire.strategy.as_str() {
        "" => None,
        word => Some(word::read("Alias.strategy", word)?),
    };
    Ok(Alias {
        name: ModelName::from(required("Alias.name", &wire.name)?),
        targets: wire.targets.iter().map(target_from_wire).collect::<Result<_, _>>()?,
        strategy,
    })
}

fn target_to_wire(target: &AliasTarget) -> v1::AliasTarget {
    v1::AliasTarget {
        provider: target.target.provider.to_string(),
        model: target.target.model.to_string(),
        priority: target.priority,
        weight: target.weight,
    }
}

fn target_from_wire(wire: &v1::AliasTarget) -> Result<AliasTarget, ConvertError> {
    Ok(AliasTarget {
        target: Target {
            provider: ProviderName::from(required("AliasTarget.provider", &wire.provider)?),
            model: ModelName::from(required("AliasTarget.model", &wire.model)?),
        },
        priority: wire.priority,
        weight: wire.weight.map(|weight| at_least_one("AliasTarget.weight", weight)).transpose()?,
    })
}

pub(super) fn policy_to_wire(policy: &Policy) -> v1::Policy {
    v1::Policy {
        strategy: policy.strategy.word().to_owned(),
        max_attempts: policy.retries.max_attempts,
        timeouts: Some(timeouts_to_wire(&policy.timeouts)),
        translation: Some(translation_to_wire(&policy.translation)),
        latency_window_ms: millis(policy.latency_window),
        session_affinity: policy.session_affinity.word().to_owned(),
        retry_budget_percent: Some(policy.retries.budget_percent),
        hedge: policy.retries.hedge.map(operations::hedge_to_wire),
        cooldown: Some(operations::cooldown_to_wire(policy.cooldown)),
        health_check: Some(operations::health_to_wire(policy.health_check)),
        self_healing: Some(operations::healing_to_wire(policy.self_healing)),
    }
}

pub(super) fn policy_from_wire(wire: &v1::Policy) -> Result<Policy, ConvertError> {
    let default = Policy::default();
    Ok(Policy {
        strategy: word::read("Policy.strategy", &wire.strategy)?,
        latency_window: match wire.latency_window_ms {
            0 => default.latency_window,
            window => Duration::from_millis(window),
        },
        session_affinity: word::read_or_default("Policy.session_affinity", &wire.session_affinity)?,
        retries: Retries {
            max_attempts: at_least_one("Policy.max_attempts", wire.max_attempts)?,
            budget_percent: match wire.retry_budget_percent {
                Some(value) => operations::percent("Policy.retry_budget_percent", value)?,
                None => default.retries.budget_percent,
            },
            hedge: wire.hedge.as_ref().map(operations::hedge_from_wire).transpose()?,
        },
        timeouts: timeouts_from_wire("Policy.timeouts", wire.timeouts.as_ref())?,
        translation: match &wire.translation {
            Some(translation) => translation_from_wire(translation)?,
            None => TranslationPolicy::default(),
        },
        cooldown: match &wire.cooldown {
            Some(cooldown) => operations::cooldown_from_wire(cooldown)?,
            None => default.cooldown,
        },
        health_check: match &wire.health_check {
            Some(health) => operations::health_from_wire(health)?,
            None => default.health_check,
        },
        self_healing: match &wire.self_healing {
            Some(healing) => operations::healing_from_wire(healing)?,
            None => default.self_healing,
        },
    })
}

fn translation_to_wire(translation: &TranslationPolicy) -> v1::Translation {
    v1::Translation {
        on_loss: translation.on_loss.word().to_owned(),
        unsupported_tools: translation.unsupported_tools.word().to_owned(),
        default_max_tokens: translation.default_max_tokens,
    }
}

fn translation_from_wire(wire: &v1::Translation) -> Result<TranslationPolicy, ConvertError> {
    Ok(TranslationPolicy {
        on_loss: word::read_or_default("Translation.on_loss", &wire.on_loss)?,
        unsupported_tools: word::read_or_default("Translation.unsupported_tools", &wire.unsupported_tools)?,
        default_max_tokens: match wire.default_max_tokens {
            0 => TranslationPolicy::default().default_max_tokens,
            tokens => tokens,
        },
    })
}
