//! What is told of a budget whose limit is spent in good part.

use crate::{decide::Decide, metrics::PlaneMetrics};
use cliproxy_domain::{AuditEntry, LimitSubject, QuotaUnit};
use cliproxy_store::Crossed;

/// Tells that a part of a limit is spent: in the log, in the audit log and in a metric. Only what is settled crosses it, so
/// that slices which nodes merely hold alarm nobody.
pub(super) async fn tell(crossed: &Crossed, decide: &Decide, metrics: &PlaneMetrics) {
    let Crossed { id, percent, settled, limit, period } = crossed;
    let (used, limit) = (shown(*settled, id.unit), shown(*limit, id.unit));
    tracing::warn!(
        budget = %id, percent, used, limit, unit = id.unit.as_str(), resets_at = %period.end,
        "a good part of a budget is spent"
    );
    metrics.quota.crossed(*percent);
    let provider = match &id.subject {
        LimitSubject::Provider(provider) | LimitSubject::Credential(provider, _) => Some(provider.clone()),
        LimitSubject::Client(_) => None,
    };
    let reason = format!("{percent} % of {limit} {} are spent", id.unit.as_str());
    let entry = decide.ids().about("quota_threshold", provider, id.subject.to_string(), reason);
    let after = format!(
        r#"{{"percent":{percent},"used":{used},"limit":{limit},"unit":"{}","resets_at":"{}"}}"#,
        id.unit.as_str(),
        period.end
    );
    decide.note(AuditEntry { after, ..entry }).await;
}

/// Shows an amount as people reckon it: of money in dollars.
fn shown(amount: u64, unit: QuotaUnit) -> f64 {
    match unit {
        QuotaUnit::Usd => amount as f64 / 1e9,
        QuotaUnit::Tokens | QuotaUnit::Requests => amount as f64,
    }
}
