use super::*;
use cliproxy_domain::AttemptError;

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
        Failure::Timeout(TimeoutPhase::Deadline),
        Failure::ConnectFailed,
        Failure::StreamBroken,
        Failure::MalformedReply,
        Failure::ClientGone,
    ];
    for failure in failures {
        let counts = counts(AttemptOutcome::Failed(&error(failure)), Took::default());
        assert_eq!(counts.attempts(), 1, "{failure:?}");
        assert_eq!(counts.errors() == 1, failure.counts_against_provider(), "{failure:?}");
    }
    assert_eq!(counts(AttemptOutcome::Cancelled, Took::default()).errors(), 0);
}

#[test]
fn the_time_to_the_first_event_is_counted_of_streams_that_were_answered_in_full() {
    let took = Took { all: Duration::from_micros(7), to_first_event: Some(Duration::from_micros(3)) };
    let whole = counts(AttemptOutcome::Answered, Took { to_first_event: None, ..took });
    assert_eq!((whole.latency_us, whole.streams, whole.stream_us, whole.first_event_us), (7, 0, 0, 0));
    let stream = counts(AttemptOutcome::Answered, took);
    assert_eq!((stream.latency_us, stream.streams, stream.stream_us, stream.first_event_us), (7, 1, 7, 3));
    let broken = AttemptError::new(Failure::StreamBroken, "x");
    assert_eq!(counts(AttemptOutcome::Failed(&broken), took).streams, 0);
}
