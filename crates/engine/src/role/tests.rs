use super::{Cause, Other, Part, Role};
use proptest::prelude::*;
use std::time::Duration;

const TIMEOUT: u64 = 30;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn role(part: Part) -> Role {
    Role::new(part, at(TIMEOUT), at(0))
}

/// Checks of the other node at the given seconds; gives when the role changed and why.
fn turns(role: &mut Role, checks: &[(u64, Other)]) -> Vec<(u64, bool, Cause)> {
    let mut turns = Vec::new();
    for (second, other) in checks {
        // As the node does it: it wakes when something is due, and for each check.
        while let Some(due) = role.due().filter(|due| *due < at(*second)) {
            if let Some(cause) = role.passed(due) {
                turns.push((due.as_secs(), role.is_active(), cause));
            }
        }
        if let Some(cause) = role.heard(*other, at(*second)) {
            turns.push((*second, role.is_active(), cause));
        }
    }
    turns
}

#[test]
fn roles_change_as_the_other_node_is_heard() {
    use Other::{Leaving, Serves, Silent, Waits};
    use Part::{Backup, Primary};
    type Case = (&'static str, Part, &'static [(u64, Other)], &'static [(u64, bool, Cause)]);
    let cases: [Case; 10] = [
        (
            "a primary serves once it knows that the backup does not",
            Primary,
            &[(1, Waits)],
            &[(1, true, Cause::OtherDoesNotServe)],
        ),
        (
            "a primary without a backup serves",
            Primary,
            &[(1, Silent)],
            &[(1, true, Cause::OtherDoesNotServe)],
        ),
        (
            "a primary that comes back waits until the backup has stepped back",
            Primary,
            &[(1, Serves), (11, Serves), (31, Serves), (41, Waits)],
            &[(41, true, Cause::OtherDoesNotServe)],
        ),
        (
            "a primary does not wait for ever",
            Primary,
            &[(1, Serves), (89, Serves), (91, Serves)],
            &[(90, true, Cause::OtherDidNotStepBack)],
        ),
        (
            "a primary that serves goes on, whatever the backup says",
            Primary,
            &[(1, Silent), (11, Serves), (99, Serves)],
            &[(1, true, Cause::OtherDoesNotServe)],
        ),
        ("a backup waits while the primary is well", Backup, &[(1, Serves), (29, Serves), (58, Serves)], &[]),
        (
            "a backup takes over once the primary was silent for the timeout",
            Backup,
            &[(1, Serves), (11, Silent), (21, Silent), (40, Silent)],
            &[(31, true, Cause::OtherSilent)],
        ),
        (
            "one good word begins the timeout anew",
            Backup,
            &[(1, Serves), (11, Silent), (21, Serves), (31, Silent), (52, Silent)],
            &[(51, true, Cause::OtherSilent)],
        ),
        (
            "a backup does not wait for a primary that leaves",
            Backup,
            &[(1, Serves), (11, Leaving), (21, Silent)],
            &[(11, true, Cause::OtherLeaves)],
        ),
        (
            "a backup steps back once the primary has been well for the timeout without a break",
            Backup,
            &[(31, Silent), (41, Waits), (61, Silent), (71, Waits), (91, Serves), (102, Serves)],
            &[(30, true, Cause::OtherSilent), (101, false, Cause::OtherWell)],
        ),
    ];
    for (name, part, checks, expected) in cases {
        assert_eq!(turns(&mut role(part), checks), expected, "{name}");
    }
}

#[test]
fn a_role_that_was_decided_elsewhere_goes_on() {
    let mut primary = role(Part::Primary);
    primary.assume(true, at(50));
    assert!(primary.is_active() && primary.due().is_none());
    let mut backup = role(Part::Backup);
    backup.assume(false, at(50));
    assert_eq!(backup.due(), Some(at(30)), "waiting as before: what was heard still counts");
    backup.assume(true, at(50));
    backup.assume(false, at(60));
    assert_eq!(backup.due(), Some(at(90)), "a new wait");
}

#[test]
fn both_nodes_serving_is_known_to_whoever_hears_it() {
    let mut primary = role(Part::Primary);
    primary.heard(Other::Waits, at(1));
    assert!(!primary.both_serve());
    primary.heard(Other::Serves, at(2));
    assert!(primary.both_serve());
    primary.heard(Other::Silent, at(3));
    assert!(!primary.both_serve());
}

fn others() -> impl Strategy<Value = Vec<(u64, Other)>> {
    let other =
        prop_oneof![Just(Other::Silent), Just(Other::Leaving), Just(Other::Waits), Just(Other::Serves),];
    prop::collection::vec((1..20u64, other), 1..60).prop_map(|steps| {
        let mut second = 0;
        let step = |(pause, other)| {
            second += pause;
            (second, other)
        };
        steps.into_iter().map(step).collect()
    })
}

proptest! {
    /// A backup serves only where the primary was silent for the whole timeout, or left; it steps back only after as
    /// long without a bad word.
    #[test]
    fn a_backup_takes_over_and_steps_back_for_its_reasons_alone(checks in others()) {
        let mut backup = role(Part::Backup);
        for (second, active, cause) in turns(&mut backup, &checks) {
            let until = |well: bool| checks.iter().rev().find(|(at, other)| {
                *at <= second && matches!(other, Other::Waits | Other::Serves) == well
            });
            match cause {
                Cause::OtherSilent => {
                    prop_assert!(active);
                    prop_assert!(until(true).is_none_or(|(at, _)| second - at >= TIMEOUT));
                }
                Cause::OtherLeaves => prop_assert!(active && checks.contains(&(second, Other::Leaving))),
                Cause::OtherWell => {
                    prop_assert!(!active);
                    prop_assert!(until(false).is_none_or(|(at, _)| second - at >= TIMEOUT));
                }
                _ => prop_assert!(false, "{cause:?} is the primary's"),
            }
        }
    }

    /// Two nodes that hear each other never both serve for longer than it takes to step back, and one of them serves
    /// in the end.
    #[test]
    fn of_two_nodes_that_hear_each_other_one_serves(start in 0..200u64, first in any::<bool>()) {
        let (mut primary, mut backup) = (role(Part::Primary), role(Part::Backup));
        primary.assume(first, at(0));
        // The backup was alone until `start`, the primary just came.
        backup.heard(Other::Silent, at(start));
        primary = Role::new(Part::Primary, at(TIMEOUT), at(start));
        for second in start + 1..start + 200 {
            let of = |role: &Role| if role.is_active() { Other::Serves } else { Other::Waits };
            let (seen_primary, seen_backup) = (of(&primary), of(&backup));
            primary.heard(seen_backup, at(second));
            backup.heard(seen_primary, at(second));
            prop_assert!(!(primary.is_active() && backup.is_active()), "at {second}");
        }
        prop_assert!(primary.is_active() && !backup.is_active());
    }
}
