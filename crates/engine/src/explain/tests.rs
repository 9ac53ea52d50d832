use super::*;
use crate::{
    Idle, order,
    world::{NOW, World},
};
use cliproxy_domain::{CooldownCause, HealthState, Measured, Permit, QuotaUnit, Strategy, WallTime};

fn decision(world: &World, ticket: u64) -> Decision {
    let outlook = world.outlook();
    let scene = world.scene(&outlook, ticket, &Idle);
    let order = order(&scene, &world.set);
    explain(&scene, &world.set, &order, ConfigId(7), "smart")
}

fn reason(world: &World, ticket: u64) -> String {
    decision(world, ticket).reason
}

fn wholes(answers: u64, mean_ms: u64) -> Measured {
    Measured { wholes: answers, whole_us: mean_ms * 1_000, ..Measured::default() }
}

const TWO: [(&str, &[&str]); 2] = [("claude", &["main", "spare"]), ("openai", &["main"])];

#[test]
fn turns_are_told_with_how_many_take_them() {
    let mut world = World::of(&TWO);
    assert_eq!(reason(&world, 1), "openai/main: its turn among 2 equal targets of priority 1");
    world.candidate("claude").weight = 3;
    assert_eq!(reason(&world, 0), "claude/main: its turn by weight among 2 targets of priority 1");
    let world = world.rest("openai", None, |_| {});
    assert_eq!(reason(&world, 0), "claude/main: the only target of priority 1 that can be tried");
}

#[test]
fn each_strategy_tells_what_it_went_by() {
    let latency = |a, b, c| {
        let world = World::weighted(&[1, 1, 1]).by(Strategy::Latency);
        world.measured("a", a).measured("b", b).measured("c", c)
    };
    let quota = |unit| {
        let world = World::weighted(&[1, 1]).by(Strategy::QuotaAware);
        world.quota("a", QuotaUnit::Tokens, 1_000, 900).quota("b", unit, 1_000, 250)
    };
    let price = |of_b| {
        let world = World::weighted(&[1, 1]).by(Strategy::Cost);
        world.price("a", 3_000_000, 15_000_000).price("b", of_b, 15_000_000)
    };
    let unlimited = |weights: &[u32]| World::weighted(weights).by(Strategy::QuotaAware);
    let cases = [
        (latency(wholes(9, 412), wholes(9, 900), wholes(9, 800)), 0, "a/k: lowest latency (412 ms) of 3"),
        (
            latency(wholes(9, 412), wholes(9, 420), wholes(9, 800)),
            1,
            "b/k: its turn among 2 targets within 10 % of the lowest latency (412 ms)",
        ),
        (
            latency(wholes(9, 412), wholes(4, 900), wholes(9, 800)),
            19,
            "b/k: explored, as it gave fewer than 5 answers lately",
        ),
        (
            latency(wholes(1, 412), wholes(4, 900), wholes(0, 0)),
            1,
            "b/k: its turn among 3 targets that gave fewer than 5 answers lately",
        ),
        (quota(QuotaUnit::Tokens), 0, "b/k: most quota left (750 tokens) of 2"),
        (quota(QuotaUnit::Requests), 0, "b/k: most quota left (75 %) of 2"),
        (unlimited(&[1, 1]).quota("a", QuotaUnit::Tokens, 9, 1), 0, "b/k: the only one of 2 without a quota"),
        (unlimited(&[1, 1]), 1, "b/k: its turn among 2 targets without a quota"),
        (price(2_000_000), 0, "b/k: lowest cost (0.00525 USD per 1,000 tokens) of 2"),
        (
            price(3_000_000),
            1,
            "b/k: its turn among 2 targets of 2 with the lowest cost (0.006 USD per 1,000 tokens)",
        ),
        (World::weighted(&[1, 1]).by(Strategy::Cost), 1, "b/k: its turn among 2 targets without a price"),
    ];
    for (world, ticket, expected) in cases {
        assert_eq!(reason(&world, ticket), expected);
    }
}

#[test]
fn scores_are_those_that_decided_with_their_notes() {
    let world = World::weighted(&[1, 1, 1])
        .by(Strategy::Latency)
        .measured("a", wholes(9, 430))
        .measured("b", wholes(9, 412));
    let decision = decision(&world, 0);
    let shown: Vec<_> =
        decision.candidates.iter().map(|seen| (seen.provider.as_str(), seen.place, seen.score)).collect();
    assert_eq!(shown, [("a", Some(1), Some(430.0)), ("b", Some(2), Some(412.0)), ("c", Some(3), None)]);
    let notes: Vec<_> = decision.candidates.iter().map(|seen| seen.note.as_str()).collect();
    assert_eq!(notes, ["near the best", "", "too few answers lately"]);
    assert_eq!((decision.config, decision.at, decision.model.as_str()), (ConfigId(7), NOW, "smart"));
    assert_eq!(decision.strategy, Strategy::Latency);
}

#[test]
fn all_that_is_left_out_is_shown_after_what_is_tried_with_cause_and_end() {
    let mut world =
        World::of(&TWO).rest("claude", Some("spare"), |rest| rest.until = WallTime(NOW.0 + 5_000));
    let target = Target { provider: "local".into(), model: "m".into() };
    world.set.excluded.push((target, Exclusion::Capability));
    let decision = decision(&world, 0);
    let shown: Vec<_> = decision
        .candidates
        .iter()
        .map(|seen| {
            let credential = seen.credential.as_ref().map_or("", |name| name.as_str());
            (seen.provider.as_str(), credential, seen.place, seen.excluded, seen.cause, seen.until)
        })
        .collect();
    let end = Some(WallTime(NOW.0 + 5_000));
    let expected = [
        ("claude", "main", Some(1), None, None, None),
        ("openai", "main", Some(2), None, None, None),
        ("claude", "spare", None, Some(Exclusion::Cooldown), Some(CooldownCause::RateLimit), end),
        ("local", "", None, Some(Exclusion::Capability), None, None),
    ];
    assert_eq!(shown, expected);
    assert_eq!(decision.soonest, end);
}

#[test]
fn where_nothing_can_be_tried_each_target_says_why_and_when_the_first_is_back() {
    let world = World::of(&TWO)
        .rest("claude", Some("main"), |rest| rest.cause = CooldownCause::Error)
        .rest("claude", Some("spare"), |rest| {
            rest.until = NOW;
            rest.permit = Permit { number: 1, node: Some("another".into()) };
        })
        .quota("openai", QuotaUnit::Tokens, 5, 5);
    assert_eq!(
        reason(&world, 0),
        "nothing can be tried: claude/main (cooldown: error until 1970-01-01T00:17:40Z), claude/spare \
         (circuit_half_open_busy: rate_limit until 1970-01-01T00:16:41Z), openai (quota_exhausted until \
         1970-01-01T00:16:49Z); the first is back at 1970-01-01T00:16:41Z"
    );
    let many: Vec<String> = (0..30).map(|number| format!("p{number:02}")).collect();
    let many: Vec<(&str, &[&str])> = many.iter().map(|name| (name.as_str(), &[] as &[&str])).collect();
    let reason = reason(&World::of(&many), 0);
    assert!(reason.ends_with("p07 (no_credential) and 22 more"), "{reason}");
}

#[test]
fn a_session_is_told_of_its_own_credential_and_why_it_is_elsewhere() {
    let with = |change: fn(World) -> World| {
        // A session of which claude/spare is the own credential.
        let session = (0..)
            .find(|session| reason(&World::of(&TWO).for_session(*session), 0).starts_with("claude/spare"));
        reason(&change(World::of(&TWO).for_session(session.unwrap())), 0)
    };
    assert_eq!(with(|world| world), "claude/spare: the session's own credential");
    assert_eq!(
        with(|world| world.rest("claude", Some("spare"), |_| {})),
        "claude/main: the session's next credential, as its own, claude/spare, is left out (cooldown: \
         rate_limit until 1970-01-01T00:17:40Z)"
    );
    assert_eq!(
        with(|world| world.health("claude", HealthState::Unhealthy)),
        "openai/main: the session's next credential, as its own, claude/spare, is left out (unhealthy)"
    );
    assert_eq!(
        with(|world| world.by(Strategy::Cost).price("claude", 1_000, 1_000).price("openai", 2_000, 2_000)),
        "claude/spare: lowest cost (0.000001 USD per 1,000 tokens) of 2; the session's own credential"
    );
    let rising =
        |session| reason(&World::of(&TWO).rising("claude", Some("spare"), 10).for_session(session), 0);
    let waiting = "claude/main: the session's next credential, as its own, claude/spare, takes 10 % of its sessions yet";
    assert!((0..100).any(|session| rising(session) == waiting));
    assert!(decision(&World::of(&TWO).for_session(5), 0).session);
    assert!(!decision(&World::of(&TWO), 0).session);
}

#[test]
fn a_session_whose_own_credential_is_busy_is_told_so_without_the_load_of_then() {
    struct Busy;
    impl Load for Busy {
        fn in_flight(&self, slot: usize, credential: usize) -> u32 {
            if (slot, credential) == (0, 0) { 50 } else { 0 }
        }
    }
    let world = |session| World::of(&[("claude", &["main", "spare"])]).for_session(session);
    let session = (0..).find(|session| world(*session).names(0)[0] == "claude/main").unwrap();
    let world = world(session);
    let outlook = world.outlook();
    let order = order(&world.scene(&outlook, 0, &Busy), &world.set);
    let decision = explain(&world.scene(&outlook, 0, &Idle), &world.set, &order, ConfigId(1), "m");
    assert_eq!(
        decision.reason,
        "claude/spare: the session's next credential, as its own, claude/main, has more than its share of the \
         open calls"
    );
    assert_eq!(decision.candidates[1].note, "the session's own");
}

#[test]
fn slow_starts_probes_and_ignored_health_are_told() {
    let world = World::weighted(&[1, 1]).rising("a", None, 30);
    assert_eq!(
        reason(&world, 0),
        "a/k: its turn among 2 equal targets of priority 1; it takes 30 % of its share after a rest"
    );
    assert_eq!(
        reason(&world, 1),
        "b/k: its turn among 2 equal targets of priority 1; a takes 30 % of its share after a rest"
    );
    assert_eq!(decision(&world, 1).candidates[1].rising, Some(0.3));
    let world =
        World::weighted(&[1]).rest("a", None, |rest| rest.until = NOW).health("a", HealthState::Failed);
    assert_eq!(
        reason(&world, 0),
        "a/k: the only target of priority 1 that can be tried; its rest is past its end, and this request finds \
         out whether it goes on; health was not looked at, as most targets are unhealthy or nothing else can be called"
    );
    assert_eq!(decision(&world, 0).candidates[0].note, "finds out whether its rest is over");
}

#[test]
fn two_models_of_one_provider_are_told_apart() {
    let mut world = World::of(&[("claude", &["main"])]);
    let mut other = world.candidate("claude").clone();
    other.target.model = "opus".into();
    world.set.candidates.push(other);
    assert_eq!(reason(&world, 1), "claude/main for opus: its turn among 2 equal targets of priority 1");
}

#[test]
fn an_order_that_was_made_from_something_else_is_no_panic() {
    let world = World::of(&TWO);
    let outlook = world.outlook();
    let mut order = world.order(0);
    order.picks[0].candidate = 90;
    order.picks[1].credential = 90;
    order.excluded.push(Excluded {
        candidate: 77,
        credential: Some(3),
        reason: Exclusion::Cooldown,
        cause: None,
        until: None,
    });
    let decision = explain(&world.scene(&outlook, 0, &Idle), &world.set, &order, ConfigId(1), "m");
    assert_eq!(decision.candidates.len(), 1);
}
