//! What operators set: any of it for the properties, what an older sender leaves out, and what is refused.

use super::*;
use cliproxy_domain::{
    CooldownPolicy, HealingPolicy, HealthPolicy, Hedge, PriceEntry, Quota, Retries, SessionAffinity,
};

/// What a provider has of operations, in the order of its fields.
pub(super) type OfAProvider = (CooldownDurations, HealthCheck, Option<Quota>, Vec<PriceEntry>);

/// Durations as long as one can be in milliseconds, and as short as one may be.
pub(super) fn durations() -> impl Generate<Value = Duration> {
    (1..=u64::MAX).prop_map(Duration::from_millis)
}

pub(super) fn of_a_provider() -> impl Generate<Value = OfAProvider> {
    let cooldown = (any::<bool>(), [durations(), durations(), durations()]);
    let cooldown = cooldown.prop_map(|(enabled, [default, rate_limit, error])| CooldownDurations {
        enabled,
        default,
        rate_limit,
        error,
    });
    let methods = select(vec!["GET", "HEAD", "POST", "OPTIONS"]);
    let check = (any::<bool>(), option::of("https?://[a-z./?&=]{1,20}"), methods);
    let check = check.prop_map(|(enabled, endpoint, method)| HealthCheck {
        enabled,
        endpoint,
        method: method.to_owned(),
    });
    (cooldown, check, option::of(limits::quotas()), limits::prices())
}

fn retries() -> impl Generate<Value = Retries> {
    let hedge =
        (durations(), 0..=100_u32).prop_map(|(after, budget_percent)| Hedge { after, budget_percent });
    (1..=u32::MAX, 0..=100_u32, option::of(hedge)).prop_map(|(max_attempts, budget_percent, hedge)| Retries {
        max_attempts,
        budget_percent,
        hedge,
    })
}

fn cooldowns() -> impl Generate<Value = CooldownPolicy> {
    (any::<[bool; 2]>(), [durations(), durations()], 1..=u32::MAX).prop_map(
        |([enabled, honor_retry_after], [detection_window, max_hint], error_threshold)| CooldownPolicy {
            enabled,
            detection_window,
            error_threshold,
            honor_retry_after,
            max_hint,
        },
    )
}

fn healths() -> impl Generate<Value = HealthPolicy> {
    let counts = [1..=u32::MAX, 1..=u32::MAX, 1..=u32::MAX];
    (any::<bool>(), [durations(), durations()], counts).prop_map(
        |(enabled, [interval, timeout], [unhealthy_threshold, healthy_threshold, daily_budget])| {
            HealthPolicy { enabled, interval, timeout, unhealthy_threshold, healthy_threshold, daily_budget }
        },
    )
}

fn healings() -> impl Generate<Value = HealingPolicy> {
    (any::<bool>(), [durations(), durations()], 1..=u32::MAX).prop_map(
        |(enabled, [check_interval, backoff], max_attempts)| HealingPolicy {
            enabled,
            check_interval,
            max_attempts,
            backoff,
        },
    )
}

/// Any policy but for its timeouts and its translation.
pub(super) fn policies() -> impl Generate<Value = Policy> {
    let balancing = (select(Strategy::ALL.to_vec()), durations(), select(SessionAffinity::ALL.to_vec()));
    (balancing, retries(), cooldowns(), healths(), healings()).prop_map(
        |((strategy, latency_window, session_affinity), retries, cooldown, health_check, self_healing)| {
            Policy {
                strategy,
                latency_window,
                session_affinity,
                retries,
                cooldown,
                health_check,
                self_healing,
                ..Policy::default()
            }
        },
    )
}

#[test]
fn an_older_sender_that_knows_nothing_of_operations_gets_the_defaults() {
    let snapshot = spoilt(|provider, policy| {
        *provider = v1::Provider { cooldown: None, health_check: None, ..provider.clone() };
        *policy = v1::Policy {
            strategy: policy.strategy.clone(),
            max_attempts: policy.max_attempts,
            timeouts: policy.timeouts,
            ..v1::Policy::default()
        };
    })
    .unwrap();
    assert_eq!(snapshot.policy, Policy::default());
    let provider = &snapshot.providers["p0"];
    assert_eq!(provider.cooldown, CooldownDurations::default());
    assert_eq!(provider.health_check, HealthCheck::default());
    assert_eq!((&provider.quota, &provider.prices[..]), (&None, &[][..]));
    let credential = &provider.credentials[0];
    assert_eq!(*credential, Credential::new("main", credential.api_key.clone()));
    assert!(snapshot.clients.is_empty());
}

#[test]
fn no_budget_for_retries_is_not_the_default_budget() {
    let snapshot = spoilt(|_, policy| policy.retry_budget_percent = Some(0)).unwrap();
    assert_eq!(snapshot.policy.retries.budget_percent, 0);
}

#[test]
fn what_means_nothing_of_a_provider_is_refused_by_name() {
    type Spoil = fn(&mut v1::Provider);
    let cases: [(Spoil, &str); 6] = [
        (|p| p.cooldown.as_mut().unwrap().default_ms = 0, "CooldownDurations.default_ms is 0"),
        (|p| p.cooldown.as_mut().unwrap().rate_limit_ms = 0, "CooldownDurations.rate_limit_ms is 0"),
        (|p| p.cooldown.as_mut().unwrap().error_ms = 0, "CooldownDurations.error_ms is 0"),
        (|p| p.health_check.as_mut().unwrap().method.clear(), "HealthCheck.method is missing"),
        (
            |p| p.health_check.as_mut().unwrap().method = "get".into(),
            "HealthCheck.method is \"get\"; it must be one of: GET, HEAD, POST, OPTIONS",
        ),
        (
            |p| p.health_check.as_mut().unwrap().endpoint = Some("file:///x".into()),
            "HealthCheck.endpoint is \"file:///x\"",
        ),
    ];
    for (spoil, message) in cases {
        let error = spoilt(|provider, _| spoil(provider)).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn what_means_nothing_of_a_policy_is_refused_by_name() {
    fn hedge(after_ms: u64, budget_percent: u32) -> Option<v1::Hedge> {
        Some(v1::Hedge { after_ms, budget_percent })
    }
    type Spoil = fn(&mut v1::Policy);
    let cases: [(Spoil, &str); 16] = [
        (|p| p.strategy = "random".into(), "Policy.strategy is \"random\""),
        (|p| p.session_affinity = "sticky".into(), "Policy.session_affinity is \"sticky\""),
        (|p| p.max_attempts = 0, "Policy.max_attempts is 0"),
        (
            |p| p.retry_budget_percent = Some(101),
            "Policy.retry_budget_percent is 101; it must be at most 100",
        ),
        (|p| p.hedge = hedge(0, 5), "Hedge.after_ms is 0"),
        (|p| p.hedge = hedge(1, 101), "Hedge.budget_percent is 101"),
        (|p| p.cooldown.as_mut().unwrap().error_threshold = 0, "CooldownPolicy.error_threshold is 0"),
        (|p| p.cooldown.as_mut().unwrap().detection_window_ms = 0, "CooldownPolicy.detection_window_ms is 0"),
        (|p| p.cooldown.as_mut().unwrap().max_hint_ms = 0, "CooldownPolicy.max_hint_ms is 0"),
        (|p| p.health_check.as_mut().unwrap().interval_ms = 0, "HealthPolicy.interval_ms is 0"),
        (|p| p.health_check.as_mut().unwrap().timeout_ms = 0, "HealthPolicy.timeout_ms is 0"),
        (|p| p.health_check.as_mut().unwrap().healthy_threshold = 0, "HealthPolicy.healthy_threshold is 0"),
        (|p| p.health_check.as_mut().unwrap().daily_budget = 0, "HealthPolicy.daily_budget is 0"),
        (|p| p.self_healing.as_mut().unwrap().check_interval_ms = 0, "HealingPolicy.check_interval_ms is 0"),
        (|p| p.self_healing.as_mut().unwrap().max_attempts = 0, "HealingPolicy.max_attempts is 0"),
        (|p| p.self_healing.as_mut().unwrap().backoff_ms = 0, "HealingPolicy.backoff_ms is 0"),
    ];
    for (spoil, message) in cases {
        let error = spoilt(|_, policy| spoil(policy)).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
