//! Who may send the one request after a rest.

use super::{Decide, Decided, Desk, Turn};
use cliproxy_domain::{
    Cooldown, CooldownCause, CooldownKey, Evidence, Hint, NodeId, Permit, UrgentEvent, WallTime,
};
use cliproxy_engine::cooldown::{Stage, granted, stage};
use std::{collections::BTreeMap, time::Duration};
use xxhash_rust::xxh3::xxh3_64;

/// How long a node has for its verdict before another may have the permit.
const VERDICT: Duration = Duration::from_secs(1);
/// A wish so old is wished no more: who still wants the permit asks again.
const WISH: Duration = Duration::from_secs(2);

/// What is known of permits beside the rests themselves. Holds only rests that a permit was asked for or
/// granted of a moment ago.
#[derive(Default)]
pub(super) struct Permits(BTreeMap<CooldownKey, Asked>);

#[derive(Default)]
struct Asked {
    /// The number that was granted last, and when.
    granted: Option<(u32, WallTime)>,
    /// Who else wants it, and since when.
    wish: Option<(NodeId, WallTime)>,
}

impl Asked {
    /// Tells whether anything hangs on it still.
    fn is_recent(&self, now: WallTime) -> bool {
        let granted = self.granted.is_some_and(|(_, at)| now.since(at) <= VERDICT);
        granted || self.wish.as_ref().is_some_and(|(_, since)| now.since(*since) <= WISH)
    }
}

impl Permits {
    /// Forgets a rest that is over.
    pub(super) fn forget(&mut self, key: &CooldownKey) {
        self.0.remove(key);
    }

    /// Tells until when the holder of a permit has time for its verdict.
    fn verdict_due(&self, rest: &Cooldown) -> WallTime {
        let granted = self.0.get(&rest.key).and_then(|asked| asked.granted);
        let since = granted.filter(|(number, _)| *number == rest.permit.number).map(|(_, at)| at);
        rest.until.max(since.unwrap_or(rest.until)).plus(VERDICT)
    }

    /// Tells who wants a permit.
    fn wish(&self, key: &CooldownKey, now: WallTime) -> Option<&NodeId> {
        let (node, since) = self.0.get(key)?.wish.as_ref()?;
        (now.since(*since) <= WISH).then_some(node)
    }
}

impl Decide {
    /// Grants a permit to the node that asks for one, or notes its wish while another has time for its verdict.
    pub(super) fn on_permit_wanted(&self, desk: &mut Desk, turn: &Turn, event: &UrgentEvent) -> Decided {
        let Some((key, round)) = &event.rest else { return Decided::default() };
        let Some(rest) = self.state.hints.cooldown(key) else {
            return self.forgotten(turn, key, event.seen_epoch, *round);
        };
        let Stage::HalfOpen(permit) = stage(&rest, turn.now) else { return Decided::default() };
        let holder_has_time = permit.node.as_ref().is_some_and(|holder| turn.is_connected(holder))
            && turn.now < desk.permits.verdict_due(&rest);
        if holder_has_time {
            desk.permits.0.entry(key.clone()).or_default().wish = Some((event.node.clone(), turn.now));
            return Decided::default();
        }
        self.grant(desk, turn, &rest, &event.node)
    }

    /// Hands on permits whose holder is not connected, and those whose time is over to whoever wants them. Gives what
    /// is to be stored.
    pub(super) fn hand_on(&self, desk: &mut Desk, turn: &Turn) -> Decided {
        let mut decided = Decided::default();
        let permits = &desk.permits;
        let is_open = |rest: &Cooldown| {
            let lost = rest.permit.node.as_ref().is_some_and(|holder| !turn.is_connected(holder));
            !rest.cleared && rest.until <= turn.now && (lost || permits.0.contains_key(&rest.key))
        };
        let rests = self.state.hints.cooldowns_that(is_open);
        for rest in &rests {
            let lost = rest.permit.node.as_ref().is_some_and(|holder| !turn.is_connected(holder));
            let wish = desk.permits.wish(&rest.key, turn.now).filter(|node| turn.is_connected(node)).cloned();
            let to = match wish {
                Some(node) if lost || turn.now >= desk.permits.verdict_due(rest) => Some(node),
                _ if lost => one_of(&turn.nodes, &rest.key),
                _ => None,
            };
            if let Some(node) = to {
                decided.and(self.grant(desk, turn, rest, &node));
            }
        }
        desk.permits.0.retain(|_, asked| asked.is_recent(turn.now));
        decided
    }

    /// Hands on permits, and stores that.
    pub(crate) async fn hand_on_permits(&self) {
        let Some(turn) = self.turn() else { return };
        let decided = self.hand_on(&mut self.memory.desk.lock(), &turn);
        if !decided.is_empty() {
            self.hand_in(decided).await;
        }
    }

    fn grant(&self, desk: &mut Desk, turn: &Turn, rest: &Cooldown, node: &NodeId) -> Decided {
        let Some(granted) = granted(rest, node, turn.now) else { return Decided::default() };
        let number = granted.permit.number;
        let hints = self.spread(vec![Hint::Cooldown(granted)]);
        if hints.is_empty() {
            return Decided::default();
        }
        desk.permits.0.insert(rest.key.clone(), Asked { granted: Some((number, turn.now)), wish: None });
        self.metrics.permits_granted.inc();
        tracing::info!(subject = %rest.key, %node, number, "a node may try what rested");
        Decided { hints, ..Decided::default() }
    }

    /// Says of a rest that ended so long ago that it was forgotten here that it is over: the node that still knows it
    /// would wait for a permit for ever.
    fn forgotten(&self, turn: &Turn, key: &CooldownKey, epoch: u64, round: u32) -> Decided {
        let over = Hint::Cooldown(Cooldown {
            key: key.clone(),
            epoch,
            round: round.saturating_add(1),
            started_at: turn.now,
            until: turn.now,
            cleared: true,
            cause: CooldownCause::Error,
            source: NodeId::from(""),
            permit: Permit::default(),
            streak: 0,
            evidence: Evidence::default(),
        });
        tracing::info!(subject = %key, "a rest that was forgotten is over");
        Decided { hints: self.spread(vec![over]), ..Decided::default() }
    }
}

/// Picks a node, for different rests a different one.
fn one_of(nodes: &[NodeId], key: &CooldownKey) -> Option<NodeId> {
    let draw = xxh3_64(key.to_string().as_bytes()) % u64::try_from(nodes.len().max(1)).unwrap_or(1);
    nodes.get(usize::try_from(draw).unwrap_or(0)).cloned()
}
