//! What follows from an urgent event.

use super::{Decide, Decided, Desk};
use crate::state::{ActiveConfig, is_configured};
use cliproxy_domain::{Cooldown, CooldownKey, Hint, Provider, UrgentEvent, WallTime};
use cliproxy_engine::cooldown::{Blame, Report, Rules, SHORTEST_REST, at_once, continued, key_at_once};

impl Decide {
    /// Decides on an event, and tells all nodes what follows.
    pub(super) fn decide_event(&self, event: UrgentEvent) -> Decided {
        let Some(active) = self.state.active() else { return Decided::default() };
        let Some(provider) = configured(&active, &event) else {
            // Of a configuration before this one: nothing hangs on it any more.
            return Decided::default();
        };
        let mut desk = self.desk.lock();
        if !desk.recent.insert(&event.id) {
            return Decided::default();
        }
        let now = self.state.clock.wall();
        let decided = match Blame::of_kind(event.kind) {
            Some(_) if event.seen_epoch < self.state.hints.epoch(&event.subject) => {
                self.metrics.stale_events.inc();
                tracing::debug!(
                    provider = %event.subject.provider, node = %event.node, seen_epoch = event.seen_epoch,
                    "an event is older than an operator's word and is ignored"
                );
                Decided::default()
            }
            Some(blame) => {
                let rules = Rules::of(&active.snapshot, provider, None);
                self.on_failure(&mut desk, &rules, &report(&event, blame, now), now)
            }
            None => Decided::default(),
        };
        if decided.hints.is_empty() && !desk.windows.records(&event.subject.provider, now) {
            return decided;
        }
        Decided { event: Some(event), ..decided }
    }

    fn on_failure(&self, desk: &mut Desk, rules: &Rules, report: &Report, now: WallTime) -> Decided {
        let known = self.state.hints.cooldown(&key_at_once(report));
        let rests = [at_once(rules, report, known.as_ref()), desk.windows.note(rules, report)];
        let mut decided = Decided::default();
        for rest in rests.into_iter().flatten() {
            let known = self.state.hints.cooldown(&rest.key);
            self.rest(&mut decided, known, rest, now);
        }
        decided
    }

    /// Lets something rest, unless what is known says it already.
    fn rest(&self, decided: &mut Decided, known: Option<Cooldown>, rest: Cooldown, now: WallTime) {
        let rest = continued(rest, known.as_ref());
        let goes_on = known.as_ref().is_some_and(|known| !known.cleared && known.until > now);
        if goes_on && known.as_ref().is_some_and(|known| is_repeat(known, &rest)) {
            return;
        }
        let merged = self.spread(vec![Hint::Cooldown(rest)]);
        let Some(Hint::Cooldown(rest)) = merged.first() else { return };
        let action = if goes_on { "cooldown_extended" } else { "cooldown_started" };
        tracing::info!(
            subject = %rest.key, node = %rest.source, cause = rest.cause.as_str(), until = %rest.until,
            action, "something rests"
        );
        decided.audit.push(self.ids.of_rest(action, known.as_ref(), rest, reason(rest)));
        decided.hints.extend(merged);
    }
}

/// Tells whether `rest` says of what rests only what `known` says: calls that were on their way together are refused
/// within moments of each other, and each of them would lengthen the rest by as much.
fn is_repeat(known: &Cooldown, rest: &Cooldown) -> bool {
    (known.epoch, known.round) == (rest.epoch, rest.round) && rest.until < known.until.plus(SHORTEST_REST)
}

/// Finds the provider of an event, where the configuration has it and its credential.
fn configured<'a>(active: &'a ActiveConfig, event: &UrgentEvent) -> Option<&'a Provider> {
    let key = CooldownKey::credential(event.subject.provider.clone(), event.subject.credential.clone());
    if !is_configured(&active.snapshot, &key) {
        return None;
    }
    active.snapshot.providers.get(&key.provider)
}

fn report(event: &UrgentEvent, blame: Blame, now: WallTime) -> Report {
    Report {
        blame,
        subject: event.subject.clone(),
        about_model: event.about_model,
        // From when it happened, as the report is dated.
        hint: event.hint.map(|hint| hint.saturating_add(event.age)),
        http_status: event.http_status,
        error_type: event.error_type.clone(),
        seen_epoch: event.seen_epoch,
        node: event.node.clone(),
        at: now.minus(event.age),
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
