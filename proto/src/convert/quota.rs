//! What nodes claim of limits, and what they are granted. One entry that means nothing is passed over, and told: the
//! others are as good as without it.

pub(super) mod names;
#[cfg(test)]
pub(super) mod tests;

use super::{ConvertError, millis};
use crate::v1;
use cliproxy_domain::{
    BudgetClaim, BudgetGrant, Incarnation, NodeClaims, NodeGrants, NodeId, RateClaim, RateGrant,
    UpstreamLimit, WallTime,
};
use names::{budget_from_wire, budget_to_wire, rate_from_wire, rate_to_wire};
use std::{collections::BTreeSet, time::Duration};

/// The largest amount that means something: what databases count up to.
pub const MOST: u64 = i64::MAX as u64;

/// How many budgets, and how many rates, one message may be about. Whoever has more says it in several.
pub const MAX_ENTRIES: usize = 4_096;

/// Encodes what a node claims.
pub fn claims_to_wire(claims: &NodeClaims) -> v1::LeaseUp {
    v1::LeaseUp {
        req: claims.req,
        node_id: claims.node.to_string(),
        incarnation: claims.incarnation.0,
        budgets: claims.budgets.iter().map(budget_claim_to_wire).collect(),
        rates: claims.rates.iter().map(rate_claim_to_wire).collect(),
    }
}

/// Decodes what the process `incarnation` of `node` claims: who it is, is the stream's word and not the message's. `odd` is
/// given what means nothing.
pub fn claims_from_wire(
    wire: &v1::LeaseUp,
    node: &NodeId,
    incarnation: Incarnation,
    mut odd: impl FnMut(ConvertError),
) -> NodeClaims {
    let (mut budgets, mut seen) = (Vec::with_capacity(wire.budgets.len()), BTreeSet::new());
    for claim in &wire.budgets {
        match budget_claim_from_wire(claim) {
            Ok(claim) if seen.insert((claim.id.clone(), claim.holder, claim.period)) => budgets.push(claim),
            Ok(claim) => odd(twice("BudgetClaim.id", &claim.id)),
            Err(error) => odd(error),
        }
    }
    let (mut rates, mut seen) = (Vec::with_capacity(wire.rates.len()), BTreeSet::new());
    for claim in &wire.rates {
        match rate_claim_from_wire(claim) {
            Ok(claim) if seen.insert(claim.id.clone()) => rates.push(claim),
            Ok(claim) => odd(twice("RateClaim.id", &claim.id)),
            Err(error) => odd(error),
        }
    }
    NodeClaims { node: node.clone(), incarnation, req: wire.req, budgets, rates }
}

/// Encodes what a node is granted in answer to its claim `req`; 0 for what it did not ask for.
pub fn grants_to_wire(grants: &NodeGrants, req: u64) -> v1::LeaseDown {
    v1::LeaseDown {
        req,
        budgets: grants.budgets.iter().map(budget_grant_to_wire).collect(),
        rates: grants.rates.iter().map(rate_grant_to_wire).collect(),
    }
}

/// Decodes what a node is granted. `odd` is given what means nothing.
pub fn grants_from_wire(wire: &v1::LeaseDown, mut odd: impl FnMut(ConvertError)) -> NodeGrants {
    let mut grants = NodeGrants::default();
    for grant in &wire.budgets {
        match budget_grant_from_wire(grant) {
            Ok(grant) => grants.budgets.push(grant),
            Err(error) => odd(error),
        }
    }
    for grant in &wire.rates {
        match rate_grant_from_wire(grant) {
            Ok(grant) => grants.rates.push(grant),
            Err(error) => odd(error),
        }
    }
    grants
}

fn twice(field: &'static str, id: &impl ToString) -> ConvertError {
    ConvertError::Duplicate { field, value: id.to_string() }
}

/// Takes an amount that sums can be made of.
fn amount(field: &'static str, value: u64) -> Result<u64, ConvertError> {
    if value <= MOST {
        return Ok(value);
    }
    Err(ConvertError::OutOfRange { field, value: value.into(), expected: "at most 2^63 - 1" })
}

fn budget_claim_to_wire(claim: &BudgetClaim) -> v1::BudgetClaim {
    v1::BudgetClaim {
        id: Some(budget_to_wire(&claim.id)),
        holder: claim.holder.0,
        period_ms: claim.period.map(|period| period.0),
        granted: claim.granted,
        spent: claim.spent,
        returned: claim.returned,
        want: claim.want,
        least: claim.least,
        closing: claim.closing,
    }
}

fn budget_claim_from_wire(wire: &v1::BudgetClaim) -> Result<BudgetClaim, ConvertError> {
    let claim = BudgetClaim {
        id: budget_from_wire(wire.id.as_ref())?,
        holder: Incarnation(wire.holder),
        period: wire.period_ms.map(WallTime),
        granted: amount("BudgetClaim.granted", wire.granted)?,
        spent: amount("BudgetClaim.spent", wire.spent)?,
        returned: amount("BudgetClaim.returned", wire.returned)?,
        want: amount("BudgetClaim.want", wire.want)?,
        least: amount("BudgetClaim.least", wire.least)?,
        closing: wire.closing,
    };
    // A process that is gone and never heard of what it was given names none.
    let says_what_was = (claim.granted, claim.spent, claim.returned) != (0, 0, 0);
    if claim.period.is_none() && says_what_was {
        // It would be taken for sums of the period that runs.
        return Err(ConvertError::Missing { field: "BudgetClaim.period_ms" });
    }
    Ok(claim)
}

fn rate_claim_to_wire(claim: &RateClaim) -> v1::RateClaim {
    v1::RateClaim {
        id: Some(rate_to_wire(&claim.id)),
        held: claim.held,
        demand: claim.demand,
        waiting: claim.waiting,
        upstream: claim.upstream.map(|told| v1::UpstreamLimit {
            limit: told.limit,
            remaining: told.remaining,
            resets_in_ms: millis(told.resets_in),
            age_ms: millis(told.age),
        }),
        closing: claim.closing,
    }
}

fn rate_claim_from_wire(wire: &v1::RateClaim) -> Result<RateClaim, ConvertError> {
    let upstream = |told: &v1::UpstreamLimit| {
        Ok(UpstreamLimit {
            limit: amount("UpstreamLimit.limit", told.limit)?,
            remaining: amount("UpstreamLimit.remaining", told.remaining)?,
            resets_in: Duration::from_millis(told.resets_in_ms),
            age: Duration::from_millis(told.age_ms),
        })
    };
    Ok(RateClaim {
        id: rate_from_wire(wire.id.as_ref())?,
        held: amount("RateClaim.held", wire.held)?,
        demand: amount("RateClaim.demand", wire.demand)?,
        waiting: amount("RateClaim.waiting", wire.waiting)?,
        upstream: wire.upstream.as_ref().map(upstream).transpose()?,
        closing: wire.closing,
    })
}

fn budget_grant_to_wire(grant: &BudgetGrant) -> v1::BudgetGrant {
    v1::BudgetGrant {
        id: Some(budget_to_wire(&grant.id)),
        period_ms: grant.period.0,
        ends_in_ms: millis(grant.ends_in),
        granted: grant.granted,
        limit: grant.limit,
        used: grant.used,
        leased: grant.leased,
        recall: grant.recall,
    }
}

fn budget_grant_from_wire(wire: &v1::BudgetGrant) -> Result<BudgetGrant, ConvertError> {
    Ok(BudgetGrant {
        id: budget_from_wire(wire.id.as_ref())?,
        period: WallTime(wire.period_ms),
        ends_in: Duration::from_millis(wire.ends_in_ms),
        granted: amount("BudgetGrant.granted", wire.granted)?,
        limit: wire.limit,
        used: wire.used,
        leased: wire.leased,
        recall: wire.recall,
    })
}

fn rate_grant_to_wire(grant: &RateGrant) -> v1::RateGrant {
    v1::RateGrant {
        id: Some(rate_to_wire(&grant.id)),
        share: grant.share,
        ttl_ms: millis(grant.ttl),
        safe_share: grant.safe_share,
        limit: grant.limit,
        recall: grant.recall,
    }
}

fn rate_grant_from_wire(wire: &v1::RateGrant) -> Result<RateGrant, ConvertError> {
    Ok(RateGrant {
        id: rate_from_wire(wire.id.as_ref())?,
        share: amount("RateGrant.share", wire.share)?,
        ttl: Duration::from_millis(wire.ttl_ms),
        safe_share: amount("RateGrant.safe_share", wire.safe_share)?,
        limit: wire.limit,
        recall: wire.recall,
    })
}
