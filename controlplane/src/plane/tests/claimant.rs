//! A node as the control plane sees one that claims limits: it keeps the sums that a node must keep, and spends what the
//! test has it spend.

use super::harness::*;
use cliproxy_domain::{
    BudgetClaim, BudgetGrant, BudgetId, Incarnation, LimitSubject, NodeClaims, NodeGrants, QuotaUnit,
    RateClaim, RateGrant, RateId, WallTime,
};
use cliproxy_proto::{
    convert::quota::{claims_to_wire, grants_from_wire},
    v1,
};
use std::{collections::VecDeque, time::Duration};

/// A node's stream, and its sums of one budget. Dropping it ends the stream.
pub(super) struct Claimant {
    talk: Talk<v1::LeaseUp, v1::LeaseDown>,
    claims: NodeClaims,
    /// What came unasked and was not looked at.
    unasked: VecDeque<NodeGrants>,
    pub(super) sums: Sums,
}

/// What a node has of a budget in one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) period: Option<WallTime>,
    pub(super) granted: u64,
    pub(super) spent: u64,
    pub(super) returned: u64,
}

/// The tokens of Claude.
pub(super) fn tokens() -> BudgetId {
    BudgetId { subject: LimitSubject::Provider("claude".into()), unit: QuotaUnit::Tokens }
}

impl Claimant {
    /// Opens the stream of a node's process.
    pub(super) async fn connect(plane: &Plane, node: &str) -> Self {
        let incarnation = Incarnation(1);
        let claims =
            NodeClaims { node: node.into(), incarnation, req: 0, budgets: Vec::new(), rates: Vec::new() };
        let talk = open_lease(plane.as_node().await).await;
        Self { talk, claims, unasked: VecDeque::new(), sums: Sums::default() }
    }

    /// Goes on by a stream to another replica, or another stream to the same.
    pub(super) async fn moves(&mut self, plane: &Plane) {
        self.talk = open_lease(plane.as_node().await).await;
    }

    /// Is that process of its node, which begins with nothing.
    pub(super) fn is_process(&mut self, incarnation: Incarnation) {
        (self.claims.incarnation, self.sums) = (incarnation, Sums::default());
    }

    /// Says what it has of a budget, and that it would like `want` more, of which nothing less than `least` is of use.
    pub(super) async fn says(&mut self, id: &BudgetId, want: u64, least: u64) {
        let Sums { period, granted, spent, returned } = self.sums;
        let (id, holder) = (id.clone(), self.claims.incarnation);
        let claim = BudgetClaim { id, holder, period, granted, spent, returned, want, least, closing: false };
        self.sends(vec![claim], Vec::new()).await;
    }

    /// Sends a claim.
    pub(super) async fn sends(&mut self, budgets: Vec<BudgetClaim>, rates: Vec<RateClaim>) {
        self.claims.req += 1;
        let claims = NodeClaims { budgets, rates, ..self.claims.clone() };
        self.talk.say(claims_to_wire(&claims)).await;
    }

    /// Gives the answer to its last claim.
    pub(super) async fn answer(&mut self) -> NodeGrants {
        loop {
            let down = self.talk.next().await;
            let grants = grants_from_wire(&down, |error| panic!("{error}"));
            if down.req == self.claims.req {
                return grants;
            }
            assert_eq!(down.req, 0, "an answer to an older claim");
            self.unasked.push_back(grants);
        }
    }

    /// Claims of a budget, and takes what it is given.
    pub(super) async fn claims(&mut self, id: &BudgetId, want: u64, least: u64) -> BudgetGrant {
        self.says(id, want, least).await;
        let mut grants = self.answer().await;
        assert_eq!(grants.budgets.len(), 1, "{grants:?}");
        let grant = grants.budgets.remove(0);
        self.takes(&grant);
        grant
    }

    fn takes(&mut self, grant: &BudgetGrant) {
        if self.sums.period != Some(grant.period) {
            self.sums = Sums { period: Some(grant.period), ..Sums::default() };
        }
        self.sums.granted = self.sums.granted.max(grant.granted);
    }

    /// Claims a share of a rate.
    pub(super) async fn claims_rate(&mut self, id: &RateId, held: u64, demand: u64) -> RateGrant {
        let claim = RateClaim { id: id.clone(), held, demand, waiting: 0, upstream: None, closing: false };
        self.sends(Vec::new(), vec![claim]).await;
        self.answer().await.rates.remove(0)
    }

    /// Gives what it is told unasked.
    pub(super) async fn hears(&mut self) -> NodeGrants {
        if let Some(heard) = self.unasked.pop_front() {
            return heard;
        }
        let down = self.talk.next().await;
        assert_eq!(down.req, 0, "an answer that nobody waits for");
        grants_from_wire(&down, |error| panic!("{error}"))
    }

    /// Tells whether nothing comes for a while.
    pub(super) async fn hears_nothing(&mut self, within: Duration) -> bool {
        tokio::time::timeout(within, self.talk.down.message()).await.is_err()
    }

    /// Gives why its stream ended.
    pub(super) async fn ends(&mut self) -> tonic::Status {
        self.talk.result().await.expect_err("the stream goes on")
    }
}
