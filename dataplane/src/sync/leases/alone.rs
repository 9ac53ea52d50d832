//! What a node does that has no control plane: it grants itself its part of every budget.

use super::{Leases, TICK, round::COALESCE};
use crate::{
    live::Held,
    purse::{Left, Purse},
};
use cliproxy_domain::{BudgetGrant, Quota, RateGrant, Snapshot};
use cliproxy_engine::quota::period;
use std::{sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::time;

/// How long what the node grants itself of rates holds; it is granted anew each second.
const HOLDS: Duration = Duration::from_secs(3_600);

impl Leases {
    /// Keeps what is held true beside any session: shows it, and where there is no control plane, grants.
    pub(in crate::sync) async fn look_after(&self) {
        let mut ticks = time::interval(TICK);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let alone = self.parts.watch.is_alone();
        let mut changes = self.parts.live.subscribe_hints();
        loop {
            tokio::select! {
                biased;
                // Whoever waits asks again with each grant: not more often than others are asked.
                () = self.parts.live.lease_news().wanted(), if alone => time::sleep(COALESCE).await,
                // Another configuration, perhaps.
                changed = changes.changed(), if alone => if changed.is_err() { return },
                _ = ticks.tick() => self.look_around(),
            }
            if alone {
                self.grant();
                self.parts.live.lease_news().granted();
            }
        }
    }

    fn grant(&self) {
        let Some(known) = self.parts.live.known() else { return };
        let limits = self.parts.live.limits();
        let Snapshot { providers, clients, .. } = &known.snapshot;
        for provider in providers.values() {
            let own = limits.of_provider(&provider.name);
            let credentials = provider
                .credentials
                .iter()
                .filter_map(|credential| limits.of_credential(&provider.name, &credential.name));
            own.into_iter().chain(credentials).for_each(|held| self.grant_held(held));
        }
        clients.keys().filter_map(|client| limits.of_client(client)).for_each(|held| self.grant_held(held));
    }

    fn grant_held(&self, held: &Held) {
        held.budgets.iter().for_each(|budget| self.grant_budget(&budget.quota, &budget.purse));
        for held in &held.rates {
            let (req, now) = (self.req.fetch_add(1, Relaxed) + 1, self.parts.clock.passed());
            let claim = held.rate.claim(req, now);
            let share = (held.limit / u64::from(self.parts.nodes.max(1))).max(1);
            let (id, limit, ttl) = (claim.id, held.limit, HOLDS);
            held.rate.apply(&RateGrant { id, share, ttl, safe_share: share, limit, recall: false }, req);
        }
    }

    /// Grants this node's part of a budget. What earlier processes may have spent of the same period is spent.
    fn grant_budget(&self, quota: &Quota, purse: &Purse) {
        let id = purse.id();
        let (wall, now) = (self.parts.clock.wall(), self.parts.clock.passed());
        let period = period(quota, wall);
        let left = self.parts.left.as_ref().map(Left::claims).unwrap_or_default();
        let left = left.iter().filter(|claim| claim.id == *id && claim.period == Some(period.started_at));
        let earlier = left.fold(0_u64, |sum, claim| sum.saturating_add(claim.spent));
        let limit = quota.limit / u64::from(self.parts.nodes.max(1));
        let known = purse.state(now).filter(|state| state.period == period.started_at);
        let used = earlier.saturating_add(known.map_or(0, |state| state.spent));
        purse.apply(
            &BudgetGrant {
                id: id.clone(),
                period: period.started_at,
                ends_in: period.ends_at.since(wall),
                // What the purse gave back, as nobody asked for it, is given anew.
                granted: limit
                    .saturating_sub(earlier)
                    .saturating_add(known.map_or(0, |state| state.returned)),
                limit,
                used,
                leased: 0,
                recall: false,
            },
            now,
        );
        // Nobody else has to hear of periods that are over.
        if purse.is_due() {
            purse.claims(now).iter().for_each(|claim| purse.heard(claim));
        }
    }
}
