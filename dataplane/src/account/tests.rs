use super::*;

#[test]
fn only_a_wait_that_the_provider_named_makes_a_rest_and_it_is_clamped() {
    let rest = |failure| rest_of(failure).map(|(_, cause, rest)| (cause, rest));
    let limited = |seconds| Failure::RateLimited { retry_after: Some(Duration::from_secs(seconds)) };
    assert_eq!(rest(limited(30)), Some((CooldownCause::RateLimit, Duration::from_secs(30))));
    assert_eq!(rest(limited(156 * 3600)), Some((CooldownCause::RateLimit, MAX_HINT)));
    assert_eq!(rest(limited(0)), Some((CooldownCause::RateLimit, MIN_HINT)));
    assert_eq!(rest(Failure::RateLimited { retry_after: None }), None);
    let spent = Failure::LimitSpent { retry_after: Some(Duration::from_secs(60)) };
    assert_eq!(rest(spent), Some((CooldownCause::QuotaExhausted, Duration::from_secs(60))));
    assert_eq!(rest(Failure::Overloaded { retry_after: Some(Duration::from_secs(60)) }), None);
    assert_eq!(rest(Failure::CredentialRejected), None);
}

#[test]
fn every_end_of_an_attempt_is_counted_in_exactly_one_place() {
    let error = |failure| AttemptError::new(failure, "x");
    let failures = [
        Failure::InvalidRequest,
        Failure::ContextLength,
        Failure::CredentialRejected,
        Failure::Permission,
        Failure::Billing,
        Failure::ModelNotFound,
        Failure::TooLarge,
        Failure::RateLimited { retry_after: None },
        Failure::LimitSpent { retry_after: None },
        Failure::Overloaded { retry_after: None },
        Failure::Upstream,
        Failure::Timeout(TimeoutPhase::Connect),
        Failure::Timeout(TimeoutPhase::Idle),
        Failure::ConnectFailed,
        Failure::StreamBroken,
        Failure::MalformedReply,
        Failure::ClientGone,
    ];
    for failure in failures {
        let counts = counts(AttemptOutcome::Failed(&error(failure)), Duration::ZERO);
        assert_eq!(counts.attempts(), 1, "{failure:?}");
        assert_eq!(counts.errors() == 1, failure.counts_against_provider(), "{failure:?}");
    }
    assert_eq!(counts(AttemptOutcome::Answered, Duration::from_micros(7)).latency_us, 7);
    assert_eq!(counts(AttemptOutcome::Cancelled, Duration::ZERO).errors(), 0);
}
