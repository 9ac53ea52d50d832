//! What is told of a budget whose limit is spent in good part.

use crate::metrics::PlaneMetrics;
use cliproxy_store::Crossed;

/// Tells that a part of a limit is spent, in the log and in a metric; the store wrote it into the audit log with the books.
/// Only what is settled crosses it, so that slices which nodes merely hold alarm nobody.
pub(super) fn tell(crossed: &Crossed, metrics: &PlaneMetrics) {
    let Crossed { id, percent, period, .. } = crossed;
    let (used, limit) = crossed.shown();
    tracing::warn!(
        budget = %id, percent, used, limit, unit = id.unit.as_str(), resets_at = %period.end,
        "a good part of a budget is spent"
    );
    metrics.quota.crossed(*percent);
}
