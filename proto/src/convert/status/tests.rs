use super::*;
use cliproxy_domain::{
    Strategy,
    status::{HealthState, Source},
};

#[test]
fn the_providers_states_come_back_as_they_were() {
    let resting = ProviderStatus {
        status: HealthState::Unhealthy,
        in_cooldown: true,
        last_check: Some(WallTime(1_771_541_400_000)),
        uptime_percent: 99.9,
        requests_last_minute: 100,
        errors_last_minute: 10,
        average_latency_ms: 450,
        cooldown_reason: Some(CooldownCause::QuotaExhausted),
    };
    let status = ProvidersStatus {
        source: Source::Node,
        as_of: WallTime(1_771_541_460_000),
        providers: [("claude".into(), resting), ("openai".into(), ProviderStatus::default())].into(),
    };
    assert_eq!(providers_from_wire(&providers_to_wire(&status)).unwrap(), status);
}

#[test]
fn the_balancing_state_comes_back_as_it_was() {
    let share = ProviderShare {
        priority: 1,
        weight: 2,
        available: false,
        excluded: Some("cooldown".into()),
        requests_last_minute: 7,
        share_percent: 12.5,
    };
    let target = TargetShare {
        provider: "claude".into(),
        model: "claude-sonnet-4-5".into(),
        priority: 1,
        weight: 3,
        available: true,
    };
    let status = LoadBalancingStatus {
        source: Source::Cluster,
        as_of: WallTime(5),
        config: ConfigId(9),
        strategy: Strategy::RoundRobin,
        providers: [("claude".into(), share)].into(),
        models: [("smart".into(), AliasShares { strategy: Strategy::RoundRobin, targets: vec![target] })]
            .into(),
    };
    assert_eq!(load_balancing_from_wire(&load_balancing_to_wire(&status)).unwrap(), status);
}

#[test]
fn a_state_from_the_future_is_refused_by_name() {
    let wire = v1::ProviderStatus { status: "dizzy".into(), ..Default::default() };
    let wire = v1::GetProviderStatusResponse {
        source: "cluster".into(),
        providers: [("claude".to_owned(), wire)].into(),
        ..Default::default()
    };
    assert_eq!(
        providers_from_wire(&wire).unwrap_err().to_string(),
        "ProviderStatus.status is \"dizzy\"; it must be one of: unknown, healthy, unhealthy"
    );
}
