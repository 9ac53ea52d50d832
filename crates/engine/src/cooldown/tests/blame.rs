use super::*;
use cliproxy_domain::TimeoutPhase;

#[test]
fn only_what_the_provider_did_speaks_against_it() {
    let limited = Failure::RateLimited { retry_after: None };
    let spent = Failure::LimitSpent { retry_after: None };
    let overloaded = Failure::Overloaded { retry_after: None };
    let cases = [
        (limited, Some(Blame::RateLimit)),
        (spent, Some(Blame::Spent)),
        (Failure::Billing, Some(Blame::Spent)),
        (Failure::CredentialRejected, Some(Blame::Rejected)),
        (Failure::Permission, Some(Blame::Rejected)),
        (overloaded, Some(Blame::Error)),
        (Failure::Upstream, Some(Blame::Error)),
        (Failure::ConnectFailed, Some(Blame::Error)),
        (Failure::StreamBroken, Some(Blame::Error)),
        (Failure::Timeout(TimeoutPhase::Connect), Some(Blame::Error)),
        (Failure::Timeout(TimeoutPhase::FirstByte), Some(Blame::Error)),
        (Failure::Timeout(TimeoutPhase::Idle), Some(Blame::Error)),
        (Failure::Timeout(TimeoutPhase::Total), Some(Blame::Error)),
        // The client's own mistakes, its hang-up and its haste.
        (Failure::InvalidRequest, None),
        (Failure::ContextLength, None),
        (Failure::ModelNotFound, None),
        (Failure::TooLarge, None),
        (Failure::ClientGone, None),
        (Failure::Timeout(TimeoutPhase::Deadline), None),
    ];
    for (failure, expected) in cases {
        for translated in [false, true] {
            assert_eq!(blame(failure, translated), expected, "{failure:?}, translated: {translated}");
        }
    }
}

#[test]
fn what_our_own_translation_cannot_read_is_not_the_providers_fault() {
    assert_eq!(blame(Failure::MalformedReply, true), None);
    assert_eq!(blame(Failure::MalformedReply, false), Some(Blame::Error));
}

#[test]
fn events_carry_blame_and_nothing_else_does() {
    for blame in [Blame::RateLimit, Blame::Spent, Blame::Rejected, Blame::Error] {
        assert_eq!(Blame::of_kind(blame.kind()), Some(blame));
    }
    for kind in [UrgentKind::Recovered, UrgentKind::PermitWanted] {
        assert_eq!(Blame::of_kind(kind), None);
    }
}
