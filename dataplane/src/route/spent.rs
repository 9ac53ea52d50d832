//! Which quota is used up where a target is left out for that, other than by an attempt that asked for it.

use super::Decided;
use crate::refusal::Refusal;
use cliproxy_domain::{BudgetId, Exclusion, LimitSubject, WallTime};
use cliproxy_engine::{Excluded, Outlook, quota::period};

/// Says of a target that is left out which of the configured quotas is used up, and until when. None where another
/// reason keeps it out, or where a provider said so of its own limit, which nobody here knows.
pub fn spent(decided: &Decided, excluded: &Excluded, now: WallTime) -> Option<(WallTime, Refusal)> {
    if excluded.reason != Exclusion::QuotaExhausted {
        return None;
    }
    let candidate = decided.resolved.set.candidates.get(excluded.candidate)?;
    let provider = decided.known.snapshot.providers.get(&candidate.target.provider)?;
    let (subject, quota) = match excluded.credential {
        None => (LimitSubject::Provider(provider.name.clone()), provider.quota.as_ref()?),
        Some(at) => {
            let is_own = |outlook: &Outlook| {
                let known = outlook.providers.get(candidate.slot).and_then(|known| known.credentials.get(at));
                let rest = known.and_then(|known| known.spent.as_ref());
                rest.is_some_and(|rest| Some(rest.until) == excluded.until)
            };
            // It may have been used up only since the decision.
            if !is_own(&decided.outlook) && !is_own(&decided.known.outlook()) {
                return None;
            }
            let credential = provider.credentials.get(at)?;
            let subject = LimitSubject::Credential(provider.name.clone(), credential.name.clone());
            (subject, credential.quota.as_ref()?)
        }
    };
    let id = BudgetId { subject, unit: quota.unit };
    let until = excluded.until.unwrap_or_else(|| period(quota, now).ends_at);
    Some((until, Refusal::spent(&id, quota, Some(until), now)))
}
