//! What follows from events that nodes of other replicas reported.
//!
//! What follows from one event alone was decided where it was reported, and comes by the log. Here they are counted with
//! those of this replica's own nodes, so that errors are too many wherever their nodes are connected.

use super::{Decide, Decided, events};
use cliproxy_domain::{UrgentEvent, UrgentKind};
use cliproxy_engine::cooldown::{Blame, Rules};

impl Decide {
    /// Takes an event that another replica told, and stores what follows.
    pub(crate) async fn on_told(&self, event: UrgentEvent) {
        let decided = self.decide_told(&event);
        if !decided.is_empty() {
            self.hand_in(decided).await;
        }
    }

    fn decide_told(&self, event: &UrgentEvent) -> Decided {
        let Some(turn) = self.turn() else { return Decided::default() };
        let Some(provider) = events::configured(&turn, event) else { return Decided::default() };
        let mut desk = self.memory.desk.lock();
        if !desk.counted.insert(&event.id) || self.is_older_than_a_word(event) {
            return Decided::default();
        }
        let leads = self.state.leading.term(self.state.clock.now()).is_some();
        if event.kind == UrgentKind::PermitWanted {
            return if leads { self.on_wish(&mut desk, &turn, event) } else { Decided::default() };
        }
        let Some(blame) = Blame::of_kind(event.kind) else { return Decided::default() };
        let report = events::report(event, blame, &turn);
        let rules = Rules::of(&turn.active.snapshot, provider, &report.subject.credential, report.at);
        match desk.windows.note(&rules, &report) {
            // One says it: all of them have counted the same.
            Some(rest) if leads => self.rest(&turn, rest),
            _ => Decided::default(),
        }
    }
}
