//! Whether this node of a pair serves: by the lease of a control plane that both have, and by what it hears of the other
//! node where there is none, or where that cannot be asked.

use cliproxy_engine::role::{Other, Part, Role};
use std::time::Duration;

/// The role of this node. Times are counted from its start.
pub(super) struct Election {
    role: Role,
    part: Part,
    timeout: Duration,
    /// For how long a lease holds; none without a control plane in common.
    ttl: Option<Duration>,
    /// Whether this node knows where the other one is, so that it can hear of it at all.
    hears: bool,
    /// When the control plane last answered.
    answered: Option<Duration>,
    /// Until when this node has the lease.
    held_until: Duration,
    active: bool,
    leaving: bool,
    /// Whether both serving was told.
    both: bool,
    both_told: bool,
}

/// What the role goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// The control plane has not been asked for long enough to do without it.
    Starting,
    /// The control plane says it.
    Lease,
    /// The nodes find it out by themselves.
    Checks,
}

impl Basis {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Basis::Starting => "starting",
            Basis::Lease => "lease",
            Basis::Checks => "checks",
        }
    }
}

impl Election {
    /// Starts as a node that waits. `ttl` is how long a lease holds, where a control plane grants one.
    pub(super) fn new(part: Part, timeout: Duration, ttl: Option<Duration>, hears: bool) -> Self {
        Self {
            role: Role::new(part, timeout, Duration::ZERO),
            part,
            timeout,
            ttl,
            hears,
            answered: None,
            held_until: Duration::ZERO,
            active: false,
            leaving: false,
            both: false,
            both_told: false,
        }
    }

    /// Tells whether this node served when it was last settled.
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    /// Says which node of the pair this is.
    pub(super) fn part(&self) -> Part {
        self.part
    }

    /// Tells, once each time, that both nodes serve.
    pub(super) fn both_began(&mut self) -> bool {
        let began = self.both && !self.both_told;
        self.both_told = self.both;
        began
    }

    /// Takes in a check of the other node.
    pub(super) fn heard(&mut self, other: Other, now: Duration) {
        self.role.heard(other, now);
    }

    /// Takes in an answer of the control plane to a question of `sent`: the lease is counted from then, so that this node
    /// stops believing in it before the control plane does.
    pub(super) fn answered(&mut self, held: bool, sent: Duration) {
        self.answered = Some(sent);
        self.held_until = if held { sent + self.ttl.unwrap_or_default() } else { Duration::ZERO };
    }

    /// Gives the role up for good.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Tells whether this node may still have the lease.
    pub(super) fn has_lease(&self, now: Duration) -> bool {
        now < self.held_until
    }

    /// Tells whether this node has been well for long enough to get back a role that another one has.
    pub(super) fn wants_back(&self, now: Duration) -> bool {
        self.part == Part::Primary && now >= self.timeout
    }

    /// Tells what the role goes by.
    pub(super) fn basis(&self, now: Duration) -> Basis {
        match (self.ttl, self.answered) {
            (None, _) => Basis::Checks,
            (Some(ttl), answered) if now >= answered.unwrap_or_default() + ttl => Basis::Checks,
            (Some(_), Some(_)) => Basis::Lease,
            (Some(_), None) => Basis::Starting,
        }
    }

    /// Finds out whether this node serves; gives why, when that changed.
    pub(super) fn settle(&mut self, now: Duration) -> Option<&'static str> {
        let (active, why) = match self.basis(now) {
            _ if self.leaving => (false, "this node is shutting down"),
            Basis::Starting => (false, "the control plane has not answered yet"),
            Basis::Lease => {
                let held = now < self.held_until;
                self.role.assume(held, now);
                (
                    held,
                    if held { "the control plane granted the role" } else { "the other node has the role" },
                )
            }
            // To take over from a node that nobody can ask about would be a guess.
            Basis::Checks if !self.hears => (self.active, "nobody says who serves"),
            Basis::Checks => {
                let cause = self.role.passed(now);
                // Whoever has the lease is the one that serves: the other node may, this one cannot tell.
                if self.ttl.is_some() && self.role.both_serve() {
                    self.role.assume(false, now);
                }
                let why = match cause {
                    Some(cause) => cause.as_str(),
                    None if self.role.is_active() => "the other node does not serve",
                    None => "the other node serves",
                };
                (self.role.is_active(), why)
            }
        };
        self.both = active && self.role.both_serve();
        (std::mem::replace(&mut self.active, active) != active).then_some(why)
    }

    /// Gives when the role may change by itself.
    pub(super) fn due(&self, now: Duration) -> Option<Duration> {
        let asked = self.ttl.map(|ttl| self.answered.unwrap_or_default() + ttl);
        let own = self.role.due();
        let dues = [asked, own, Some(self.held_until)];
        dues.into_iter().flatten().filter(|due| *due > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(4);
    const TIMEOUT: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn shared(part: Part) -> Election {
        Election::new(part, TIMEOUT, Some(TTL), true)
    }

    fn is_active(election: &mut Election, second: u64) -> bool {
        election.settle(at(second));
        election.is_active()
    }

    #[test]
    fn the_lease_says_who_serves_for_as_long_as_it_holds_counted_from_the_question() {
        let mut node = shared(Part::Backup);
        assert!(!is_active(&mut node, 1));
        node.answered(true, at(1));
        assert_eq!(node.settle(at(2)), Some("the control plane granted the role"));
        assert_eq!(node.settle(at(2)), None, "told once");
        node.answered(false, at(3));
        assert_eq!(node.settle(at(3)), Some("the other node has the role"));
    }

    #[test]
    fn a_primary_that_cannot_ask_goes_on_until_it_hears_that_the_backup_serves() {
        let mut primary = shared(Part::Primary);
        primary.answered(true, at(1));
        primary.heard(Other::Waits, at(1));
        assert!(is_active(&mut primary, 2));
        assert!(is_active(&mut primary, 6), "the control plane is away, and the backup waits");
        assert_eq!(primary.basis(at(6)), Basis::Checks);
        primary.heard(Other::Serves, at(7));
        assert!(!is_active(&mut primary, 7), "it has got the lease since");
        assert!(!is_active(&mut primary, 500), "and keeps it");
        primary.heard(Other::Silent, at(501));
        assert!(is_active(&mut primary, 501));
    }

    #[test]
    fn a_backup_without_the_control_plane_waits_for_the_primary_to_fall_silent() {
        let mut backup = shared(Part::Backup);
        backup.answered(false, at(1));
        backup.heard(Other::Serves, at(10));
        backup.heard(Other::Silent, at(20));
        assert!(!is_active(&mut backup, 39));
        assert!(is_active(&mut backup, 40));
        backup.answered(false, at(41));
        assert!(!is_active(&mut backup, 41), "the control plane is back, and the primary has the lease");
    }

    #[test]
    fn a_backup_that_does_not_know_its_primary_keeps_the_role_that_the_control_plane_gave_it_last() {
        for held in [false, true] {
            let mut backup = Election::new(Part::Backup, TIMEOUT, Some(TTL), false);
            backup.answered(held, at(1));
            assert_eq!(is_active(&mut backup, 2), held);
            assert_eq!(is_active(&mut backup, 500), held, "the control plane is away");
        }
    }

    #[test]
    fn at_the_start_the_control_plane_is_waited_for_and_then_done_without() {
        let mut primary = shared(Part::Primary);
        primary.heard(Other::Silent, at(1));
        assert!(!is_active(&mut primary, 3));
        assert_eq!(primary.basis(at(3)), Basis::Starting);
        assert!(is_active(&mut primary, 4));
    }

    #[test]
    fn a_node_that_leaves_serves_no_more_whatever_it_hears() {
        let mut node = shared(Part::Primary);
        node.answered(true, at(1));
        assert!(is_active(&mut node, 1));
        node.leave();
        assert_eq!(node.settle(at(1)), Some("this node is shutting down"));
        node.answered(true, at(2));
        assert!(!is_active(&mut node, 2));
    }

    #[test]
    fn both_serving_is_told_once_each_time() {
        let mut primary = Election::new(Part::Primary, TIMEOUT, None, true);
        primary.heard(Other::Silent, at(1));
        primary.settle(at(1));
        primary.heard(Other::Serves, at(2));
        primary.settle(at(2));
        assert!(primary.both_began() && !primary.both_began());
        primary.heard(Other::Waits, at(3));
        primary.settle(at(3));
        assert!(!primary.both_began());
    }
}
