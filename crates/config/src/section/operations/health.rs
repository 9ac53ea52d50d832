//! `server.operations.health_check`: how often providers are asked whether they are well.

use super::cooldown::SHORTEST;
use crate::{field::Field, section::timeouts::LONGEST};
use cliproxy_domain::HealthPolicy;
use std::time::Duration;

/// The shortest interval; below it the asking itself would be the load.
pub const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// The highest threshold.
const MOST_IN_A_ROW: u32 = 1_000;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads the section. To have it is to want checks, as long as it does not say otherwise; without it there are none,
/// since each is a request to a provider that nobody asked for.
pub fn read(operations: &Field<'_>) -> HealthPolicy {
    let mut policy = HealthPolicy::default();
    let Some(section) = operations.section("health_check") else { return policy };
    policy.enabled = section.child("enabled").is_none_or(|field| field.boolean() == Some(true));
    let interval = section.child("interval");
    if let Some(interval) = interval.and_then(|field| field.duration_within(SHORTEST_INTERVAL..=LONGEST)) {
        policy.interval = interval;
    }
    if let Some(timeout) =
        section.child("timeout").and_then(|field| field.duration_within(SHORTEST..=LONGEST))
    {
        policy.timeout = timeout;
    }
    let threshold = |key: &str| section.child(key).and_then(|field| field.count(1..=MOST_IN_A_ROW));
    policy.unhealthy_threshold = threshold("unhealthy_threshold").unwrap_or(policy.unhealthy_threshold);
    policy.healthy_threshold = threshold("healthy_threshold").unwrap_or(policy.healthy_threshold);
    if let Some(budget) = section.child("daily_budget").and_then(|field| field.count(1..=1_000_000)) {
        policy.daily_budget = budget;
    }
    if policy.enabled {
        warn(&section, &policy);
    }
    policy
}

/// Warns of checks that overlap, and of an interval that the daily budget does not allow.
fn warn(section: &Field<'_>, policy: &HealthPolicy) {
    let at = |keys: [&str; 2]| {
        keys.into_iter().find_map(|key| section.child(key)).unwrap_or_else(|| section.clone())
    };
    if policy.timeout >= policy.interval {
        at(["timeout", "interval"]).warn(
            "`timeout` is not shorter than `interval`, so that the next check is due while one still waits; \
             lower `timeout` or raise `interval`",
        );
    }
    let wanted = DAY.as_millis() / policy.interval.as_millis().max(1);
    if wanted > u128::from(policy.daily_budget) {
        let budget = policy.daily_budget;
        let apart = (DAY / budget).as_secs_f64();
        at(["interval", "daily_budget"]).warn(format!(
            "`daily_budget` allows {budget} checks of a provider a day, one in {apart:.1}s, and `interval` asks \
             for {wanted}; raise `daily_budget` or `interval`"
        ));
    }
}
