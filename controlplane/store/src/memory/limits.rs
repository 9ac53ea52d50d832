//! What is granted of limits, in the store in memory.

use crate::{
    EscrowLease, LeaseBooks, Leased, Leasing, RETAINED_SHARES, RETAINED_WINDOWS, ReleaseEscrow, Released,
    ShareLease, WindowLeases,
    leasing::{self, Books, EscrowKey, Wanted, Window, WindowKey},
};
use cliproxy_domain::{
    Incarnation, NodeId, RateId, WallTime,
    escrow::{self, HolderBooks},
    share::RateBooks,
};
use std::collections::BTreeMap;

/// The tables of leases.
#[derive(Clone, Default)]
pub(super) struct Limits {
    windows: BTreeMap<WindowKey, Window>,
    escrows: BTreeMap<EscrowKey, HolderBooks>,
    rates: BTreeMap<RateId, RateBooks>,
}

impl Limits {
    /// Grants what is claimed, rates at `now` by the database's clock.
    pub(super) fn lease(&mut self, leasing: &Leasing, now: WallTime) -> Leased {
        let settled = leasing::settle(leasing, self.read(&Wanted::by(leasing)), now);
        self.windows.extend(settled.windows.iter().map(|(key, window)| (key.clone(), *window)));
        self.escrows.extend(settled.escrows.iter().map(|(key, holder)| (key.clone(), *holder)));
        for ((id, node, incarnation), holder) in &settled.shares {
            let rate = self.rates.entry(id.clone()).or_default();
            rate.insert((node.clone(), *incarnation), *holder);
        }
        for (id, node, incarnation) in &settled.over {
            if let Some(rate) = self.rates.get_mut(id) {
                rate.remove(&(node.clone(), *incarnation));
            }
        }
        let holders = settled.short.keys().flat_map(|window| self.holders(window));
        let holders = holders.map(|(key, holder)| (key.clone(), *holder)).collect();
        settled.recall(holders, leasing.now)
    }

    fn read(&self, wanted: &Wanted) -> Books {
        let windows = wanted.windows.iter().filter_map(|key| Some((key.clone(), *self.windows.get(key)?)));
        let escrows = wanted.escrows.iter().filter_map(|key| Some((key.clone(), *self.escrows.get(key)?)));
        let rates = wanted.rates.iter().filter_map(|id| Some((id.clone(), self.rates.get(id)?.clone())));
        Books { windows: windows.collect(), escrows: escrows.collect(), rates: rates.collect() }
    }

    fn holders(&self, window: &WindowKey) -> impl Iterator<Item = (&EscrowKey, &HolderBooks)> {
        let first = EscrowKey { window: window.clone(), node: "".into(), incarnation: Incarnation(0) };
        self.escrows.range(first..).take_while(|(key, _)| key.window == *window)
    }

    pub(super) fn leases(&self, now: WallTime, by_clock: WallTime) -> LeaseBooks {
        let running = self.windows.iter().filter(|(_, window)| window.ends_at > now);
        let windows = running.map(|(key, window)| {
            let holders = self.holders(key).map(|(escrow, holder)| EscrowLease::of(escrow, holder));
            WindowLeases::of(key, window, holders.collect())
        });
        let shares =
            self.rates.iter().flat_map(|(id, rate)| rate.iter().map(move |(who, holder)| (id, who, holder)));
        let shares = shares.filter(|(.., holder)| !holder.is_over(by_clock));
        let share = |(id, who, holder): (&RateId, &(NodeId, Incarnation), _)| {
            ShareLease::of((id.clone(), who.0.clone(), who.1), holder, by_clock)
        };
        LeaseBooks { windows: windows.collect(), shares: shares.map(share).collect() }
    }

    pub(super) fn release(&mut self, release: &ReleaseEscrow) -> Vec<Released> {
        let mut released = Vec::new();
        for (key, holder) in &mut self.escrows {
            let is_meant = key.window.id == release.id
                && key.node == release.node
                && release.incarnation.is_none_or(|incarnation| incarnation == key.incarnation);
            let window = self.windows.get_mut(&key.window).filter(|window| window.ends_at > release.now);
            if let Some(window) = window.filter(|_| is_meant) {
                let amount = escrow::release(&mut window.books, holder, key.incarnation);
                let (incarnation, period) = (key.incarnation, key.window.period);
                released.push(Released { incarnation, period, amount });
            }
        }
        released
    }

    /// Forgets periods that ended long ago, and shares that say nothing any more.
    pub(super) fn tidy(&mut self, now: WallTime, by_clock: WallTime) {
        let horizon = now.minus(RETAINED_WINDOWS);
        self.windows.retain(|_, window| window.ends_at >= horizon);
        let windows = &self.windows;
        self.escrows.retain(|key, _| windows.contains_key(&key.window));
        for rate in self.rates.values_mut() {
            rate.retain(|_, holder| holder.expires_at >= by_clock.minus(RETAINED_SHARES));
        }
        self.rates.retain(|_, rate| !rate.is_empty());
    }
}
