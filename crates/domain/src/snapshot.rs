//! The one form of configuration that a data plane knows, whoever made it: the YAML file, an operator or the
//! control plane's push.

use crate::{
    ability::TraitsEntry,
    api::ProviderKind,
    balancing::{
        CooldownDurations, CooldownPolicy, HealingPolicy, HealthCheck, HealthPolicy, Quota, Retries,
        SessionAffinity, Strategy,
    },
    client::Client,
    limit::RateLimits,
    name::{ClientName, CredentialName, ModelName, ProviderName},
    pattern::ModelPattern,
    price::{self, PriceEntry},
    profile::{Profile, TranslationPolicy},
    secret::Secret,
};
use std::{collections::BTreeMap, time::Duration};

/// A whole configuration of providers and models, checked and with all defaults filled in.
///
/// It carries no version: two snapshots of the same content are equal. Whoever stores or sends one numbers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The providers by name.
    pub providers: BTreeMap<ProviderName, Provider>,
    /// Names that clients ask for beside the providers' own models.
    pub models: BTreeMap<ModelName, Alias>,
    /// Those who may ask, by name; none when nobody needs a key.
    pub clients: BTreeMap<ClientName, Client>,
    /// What holds for all requests.
    pub policy: Policy,
}

/// One upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name, the same as its key in the snapshot.
    pub name: ProviderName,
    /// Its family.
    pub kind: ProviderKind,
    /// Where it is: `http` or `https`, without a trailing slash. Paths are appended as each official SDK does.
    pub base_url: String,
    /// Its keys; at least one.
    pub credentials: Vec<Credential>,
    /// The models it serves when no alias names a target.
    pub models: Vec<ModelPattern>,
    /// Its share within a tier, at least 1.
    pub weight: u32,
    /// Its tier: the lowest number that has a candidate wins.
    pub priority: u32,
    /// How long to wait for it.
    pub timeouts: Timeouts,
    /// How it differs from OpenAI; only of kind `openai_compatible`.
    pub profile: Option<Profile>,
    /// What is known of its models, the first entry that names a trait having the word.
    pub traits: Vec<TraitsEntry>,
    /// How long it rests.
    pub cooldown: CooldownDurations,
    /// What it is asked to see whether it is well.
    pub health_check: HealthCheck,
    /// How much of it may be used; none for as much as there is.
    pub quota: Option<Quota>,
    /// What it charges; the first entry that names a model has the word.
    pub prices: Vec<PriceEntry>,
}

impl Provider {
    /// Finds what a model of it costs; none when nobody knows.
    pub fn price_of(&self, model: &str) -> Option<&PriceEntry> {
        price::price_of(&self.prices, model)
    }
}

/// One key of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its name, unique within the provider.
    pub name: CredentialName,
    /// The key itself.
    pub api_key: Secret,
    /// Its share among the provider's credentials, at least 1.
    pub weight: u32,
    /// How fast it may be used.
    pub rate_limit: RateLimits,
    /// How much it may be used; none for as much as there is.
    pub quota: Option<Quota>,
}

impl Credential {
    /// Makes a credential of weight 1 without limits.
    pub fn new(name: impl Into<CredentialName>, api_key: Secret) -> Self {
        Self { name: name.into(), api_key, weight: 1, rate_limit: RateLimits::default(), quota: None }
    }
}

/// A name that clients ask for, and what serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name, the same as its key in the snapshot.
    pub name: ModelName,
    /// What serves it; at least one.
    pub targets: Vec<AliasTarget>,
    /// Overrides the policy's strategy.
    pub strategy: Option<Strategy>,
}

/// One target of an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasTarget {
    /// The target itself.
    pub target: Target,
    /// Its tier; the provider's when absent.
    pub priority: Option<u32>,
    /// Its share within the tier; the provider's when absent.
    pub weight: Option<u32>,
}

/// What an attempt is sent to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The provider.
    pub provider: ProviderName,
    /// The model as the provider knows it.
    pub model: ModelName,
}

/// What holds for all requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How targets are chosen where an alias does not say otherwise.
    pub strategy: Strategy,
    /// Over how long latency and the mix of tokens are averaged.
    pub latency_window: Duration,
    /// What keeps a session on one credential.
    pub session_affinity: SessionAffinity,
    /// How often a request is tried.
    pub retries: Retries,
    /// How long a request may take over all its attempts.
    pub timeouts: Timeouts,
    /// How requests are translated between dialects.
    pub translation: TranslationPolicy,
    /// What counts as an error, and how much of it is too much.
    pub cooldown: CooldownPolicy,
    /// How often providers are asked whether they are well.
    pub health_check: HealthPolicy,
    /// What is done for those that are not.
    pub self_healing: HealingPolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            latency_window: Duration::from_secs(5 * 60),
            session_affinity: SessionAffinity::default(),
            retries: Retries::default(),
            timeouts: Timeouts::default(),
            translation: TranslationPolicy::default(),
            cooldown: CooldownPolicy::default(),
            health_check: HealthPolicy::default(),
            self_healing: HealingPolicy::default(),
        }
    }
}

/// How long to wait, for one provider or for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// From the request's end to the answer's first byte.
    pub first_byte: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// For the whole request, over all attempts.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(120),
            idle: Duration::from_secs(120),
            total: Duration::from_secs(600),
        }
    }
}
