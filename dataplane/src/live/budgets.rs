//! How many calls beyond a request's first a node may make.

use cliproxy_domain::{Retries, WallTime};
use cliproxy_engine::budget::{Budget, HEDGE_FLOOR, RETRY_FLOOR};
use std::sync::Arc;

/// The budgets of one policy. A node keeps its own: each is a share of the node's requests, so that all nodes
/// together keep to the same share of all requests, without a word between them.
pub struct Budgets {
    policy: (u32, Option<u32>),
    retries: Budget,
    hedges: Option<Budget>,
}

impl Budgets {
    /// Makes the budgets of `policy`; those in use go on while the policy is the same.
    pub(super) fn of(policy: &Retries, in_use: Option<&Arc<Budgets>>) -> Arc<Self> {
        let wanted = (policy.budget_percent, policy.hedge.map(|hedge| hedge.budget_percent));
        if let Some(same) = in_use.filter(|budgets| budgets.policy == wanted) {
            return Arc::clone(same);
        }
        Arc::new(Self {
            policy: wanted,
            // Nothing means nothing, not even what is allowed in any case.
            retries: Budget::new(wanted.0, if wanted.0 == 0 { 0 } else { RETRY_FLOOR }),
            hedges: wanted.1.map(|percent| Budget::new(percent, HEDGE_FLOOR)),
        })
    }

    /// Takes note of a request.
    pub fn earn(&self) {
        self.retries.earn();
        if let Some(hedges) = &self.hedges {
            hedges.earn();
        }
    }

    /// Takes one call after a failed one; false when there is none.
    pub fn retry(&self, now: WallTime) -> bool {
        self.retries.take(now)
    }

    /// Takes one call beside one that does not begin; false when there is none.
    pub fn hedge(&self, now: WallTime) -> bool {
        self.hedges.as_ref().is_some_and(|budget| budget.take(now))
    }
}
