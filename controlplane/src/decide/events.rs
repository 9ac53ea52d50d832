//! What follows from an urgent event.

use super::{Decide, Decided, Desk, Turn};
use crate::state::is_configured;
use cliproxy_domain::{Cooldown, CooldownKey, Hint, Provider, UrgentEvent, UrgentKind};
use cliproxy_engine::cooldown::{
    Blame, Report, Rules, SHORTEST_REST, at_once, continued, failed_probe, key_at_once,
};

impl Decide {
    /// Gives what holds now; `None` before there is a configuration.
    pub(crate) fn turn(&self) -> Option<Turn> {
        let active = self.state.active()?;
        Some(Turn { active, nodes: self.state.nodes.connected_now(), now: self.state.clock.wall() })
    }

    /// Decides on an event, and tells all nodes what follows.
    pub(super) fn decide_event(&self, event: UrgentEvent) -> Decided {
        let Some(turn) = self.turn() else { return Decided::default() };
        // Else it is of a configuration before this one: nothing hangs on it any more.
        let Some(provider) = configured(&turn, &event) else { return Decided::default() };
        let mut desk = self.memory.desk.lock();
        if !desk.recent.insert(&event.id) {
            return Decided::default();
        }
        let decided = match (event.kind, Blame::of_kind(event.kind)) {
            _ if self.is_older_than_a_word(&event) => self.pass_over(&event),
            (UrgentKind::Recovered, _) => self.on_recovered(&mut desk, &turn, &event),
            (_, Some(blame)) => {
                self.state.outbox.event(&event, turn.now);
                self.on_failure(&mut desk, &turn, provider, &event, blame)
            }
            (_, None) => self.on_wish(&mut desk, &turn, &event),
        };
        let is_wish = event.kind == UrgentKind::PermitWanted;
        let is_worth_a_row = !decided.hints.is_empty()
            || (!is_wish && desk.windows.records(&event.subject.provider, turn.now));
        Decided { event: is_worth_a_row.then_some(event), ..decided }
    }

    /// Tells whether an operator spoke after the event's request had started. A verdict on a rest, and a wish to find
    /// out about one, tell that rest's epoch: what he said of less than it is no later word on it.
    pub(super) fn is_older_than_a_word(&self, event: &UrgentEvent) -> bool {
        let spoken = match (event.kind, &event.rest) {
            (UrgentKind::Recovered | UrgentKind::PermitWanted, Some((key, _))) => {
                self.state.hints.epoch_over(key)
            }
            _ => self.state.hints.epoch(&event.subject),
        };
        event.seen_epoch < spoken
    }

    /// Ignores an event that is older than an operator's word.
    fn pass_over(&self, event: &UrgentEvent) -> Decided {
        self.metrics.stale_events.inc();
        tracing::debug!(
            provider = %event.subject.provider, node = %event.node, seen_epoch = event.seen_epoch,
            age_ms = event.age.as_millis(),
            "an event is older than an operator's word and is ignored"
        );
        Decided::default()
    }

    fn on_failure(
        &self,
        desk: &mut Desk,
        turn: &Turn,
        provider: &Provider,
        event: &UrgentEvent,
        blame: Blame,
    ) -> Decided {
        let report = report(event, blame, turn);
        let rules = Rules::of(&turn.active.snapshot, provider, &report.subject.credential, report.at);
        let tried = event.rest.as_ref().and_then(|(key, _)| self.state.hints.cooldown(key));
        let known = self.state.hints.cooldown(&key_at_once(&report));
        let is_new = desk.counted.insert(&event.id);
        let rests = [
            tried.and_then(|tried| failed_probe(&rules, &report, &tried)),
            at_once(&rules, &report, known.as_ref()),
            is_new.then(|| desk.windows.note(&rules, &report)).flatten(),
        ];
        let mut decided = Decided::default();
        for rest in rests.into_iter().flatten() {
            decided.and(self.rest(turn, rest));
        }
        decided
    }

    /// Grants a permit, where this replica leads; else the leader is told of the wish.
    pub(super) fn on_wish(&self, desk: &mut Desk, turn: &Turn, event: &UrgentEvent) -> Decided {
        let Some(term) = self.state.leading.term(self.state.clock.now()) else {
            self.state.outbox.event(event, turn.now);
            return Decided::default();
        };
        let leader = self.under(&term);
        let decided = leader.on_permit_wanted(desk, turn, event);
        Decided { fence: leader.fence().cloned(), ..decided }
    }

    /// Lets something rest, unless what is known says it already.
    pub(super) fn rest(&self, turn: &Turn, rest: Cooldown) -> Decided {
        let known = self.state.hints.cooldown(&rest.key);
        let saw = rest.started_at;
        let rest = continued(rest, known.as_ref());
        let goes_on = known.as_ref().is_some_and(|known| !known.cleared && known.until > turn.now);
        let is_known = known.as_ref().is_some_and(|known| {
            let same_word = (known.epoch, known.round) == (rest.epoch, rest.round);
            (known.cleared && same_word && saw < known.until)
                || (goes_on && same_word && is_repeat(known, &rest))
        });
        if is_known {
            return Decided::default();
        }
        let merged = self.spread(vec![Hint::Cooldown(rest)]);
        let Some(Hint::Cooldown(rest)) = merged.first() else { return Decided::default() };
        let action = if goes_on { "cooldown_extended" } else { "cooldown_started" };
        if !goes_on {
            self.metrics.cooldown_started(rest.cause);
        }
        tracing::info!(
            subject = %rest.key, node = %rest.source, cause = rest.cause.as_str(), until = %rest.until,
            action, "something rests"
        );
        let audit = vec![self.ids.of_rest(action, known.as_ref(), rest, reason(rest))];
        Decided { hints: merged, audit, ..Decided::default() }
    }
}

/// Tells whether `rest` says of what rests only what `known` says: calls that were on their way together are refused
/// within moments of each other, and each of them would lengthen the rest by as much.
fn is_repeat(known: &Cooldown, rest: &Cooldown) -> bool {
    rest.until < known.until.plus(SHORTEST_REST)
}

/// Finds the provider of an event, where the configuration has it and its credential.
pub(super) fn configured<'a>(turn: &'a Turn, event: &UrgentEvent) -> Option<&'a Provider> {
    let key = CooldownKey::credential(event.subject.provider.clone(), event.subject.credential.clone());
    if !is_configured(&turn.active.snapshot, &key) {
        return None;
    }
    turn.provider(&key.provider)
}

pub(super) fn report(event: &UrgentEvent, blame: Blame, turn: &Turn) -> Report {
    Report {
        blame,
        subject: event.subject.clone(),
        about_model: event.about_model,
        hint: event.hint,
        http_status: event.http_status,
        error_type: event.error_type.clone(),
        seen_epoch: event.seen_epoch,
        node: event.node.clone(),
        at: turn.now.minus(event.age),
    }
}

/// Says for people what a rest was decided on.
fn reason(rest: &Cooldown) -> String {
    let evidence = &rest.evidence;
    let what = match evidence.http_status {
        0 => evidence.error_type.clone(),
        status => format!("{} ({status})", evidence.error_type),
    };
    match (evidence.errors, evidence.hint) {
        (0, Some(hint)) if evidence.clamped => format!(
            "{what}; the provider named a wait of {} s, of which {} s are believed",
            hint.as_secs(),
            rest.until.since(rest.started_at).as_secs()
        ),
        (0, Some(hint)) => format!("{what}; the provider named a wait of {} s", hint.as_secs()),
        (0, None) => what,
        (errors, _) => format!("{errors} errors within {} s, the last one {what}", evidence.window.as_secs()),
    }
}
