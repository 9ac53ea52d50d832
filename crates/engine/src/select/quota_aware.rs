//! `quota_aware`: the most quota left.

use super::{
    Ready,
    ranking::{Ranking, Standing},
};
use crate::outlook::QuotaOutlook;
use cliproxy_domain::QuotaUnit;

/// Ranks a tier by what is left of the quotas, what nodes hold of them counted off, those without one first. Amounts are compared where all quotas of the
/// tier count the same, else fractions.
pub(super) fn rank(ticket: u64, tier: &[Ready<'_>]) -> Ranking {
    let unit = unit(tier);
    let standing = |ready: &Ready<'_>| match ready.provider.quota {
        None => Standing { key: f64::NEG_INFINITY, score: None, note: "no quota: unlimited" },
        Some(quota) => Standing {
            key: if unit.is_some() { -(quota.left() as f64) } else { -fraction(&quota) },
            score: Some(shown(&quota, unit)),
            note: if unit.is_some() { "" } else { "fraction left" },
        },
    };
    Ranking::by(tier.iter().map(standing).collect(), 1.0, ticket)
}

/// Gives what all quotas of a tier count; none when they differ, and when there is none.
pub(crate) fn unit(tier: &[Ready<'_>]) -> Option<QuotaUnit> {
    let mut units = tier.iter().filter_map(|ready| ready.provider.quota).map(|quota| quota.unit);
    let first = units.next()?;
    units.all(|unit| unit == first).then_some(first)
}

fn fraction(quota: &QuotaOutlook) -> f64 {
    quota.left() as f64 / quota.limit.max(1) as f64
}

/// Gives what people are shown: the amount in tokens, requests or US dollars, or the fraction.
fn shown(quota: &QuotaOutlook, unit: Option<QuotaUnit>) -> f64 {
    match unit {
        None => fraction(quota),
        Some(QuotaUnit::Usd) => quota.left() as f64 / 1e9,
        Some(QuotaUnit::Tokens | QuotaUnit::Requests) => quota.left() as f64,
    }
}
