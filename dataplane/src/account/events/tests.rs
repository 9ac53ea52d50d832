use super::*;
use crate::{
    account::{Ledger, Records},
    attempt::{AttemptOutcome, ProbeResult, Took, Witness as _},
    authenticate::Caller,
    live::Live,
    upstream::Upstreams,
};
use cliproxy_domain::{CooldownKey, Dialect, Failure, NodeId, TimeoutPhase, TokenUsage, WallTime};
use cliproxy_engine::{Choice, cooldown::recover};
use cliproxy_host::{Clock as _, Entropy, SystemClock, SystemNet};
use cliproxy_observe::{access_log::AccessLog, metrics::Metrics};
use std::sync::Arc;
use tokio::sync::mpsc;

fn accounts() -> (Accounts, mpsc::Receiver<UrgentEvent>) {
    let (urgent, events) = mpsc::channel(8);
    let records = Arc::new(Records::new(mpsc::channel(1).0));
    let live = Arc::new(Live::new(Upstreams::new(Arc::new(SystemNet)).unwrap(), 0));
    let accounts = Accounts::new(
        Arc::new(Ledger::default()),
        Metrics::new(),
        AccessLog::discarding(),
        records,
        live,
        urgent,
        NodeId::from("n"),
        Arc::new(SystemClock),
        Entropy::seeded(1),
    );
    (accounts, events)
}

fn attempted(probes: Option<(CooldownKey, u32)>) -> Attempted {
    Attempted {
        request: "r".into(),
        number: 1,
        caller: Caller::anonymous(cliproxy_host::Peer { address: ([127, 0, 0, 1], 1).into() }),
        price: None,
        choice: Choice {
            target: cliproxy_domain::Target { provider: "p".into(), model: "m".into() },
            credential: "k".into(),
        },
        client: Dialect::OpenAiChat,
        upstream: Dialect::OpenAiChat,
        translated: false,
        lost: 0,
        started: SystemClock.now(),
        seen_epoch: 7,
        probes,
    }
}

fn fail(accounts: &Accounts, attempted: &Attempted, error: &AttemptError) {
    let outcome = AttemptOutcome::Failed(error);
    accounts.ended(attempted, outcome, TokenUsage::default(), Took::default());
}

#[test]
fn a_failure_is_told_as_it_was_seen_whatever_follows_from_it() {
    let (accounts, mut events) = accounts();
    let hint = Some(Duration::from_secs(156 * 3_600));
    let limited = AttemptError::new(Failure::RateLimited { retry_after: hint }, "secret words");
    let key = CooldownKey::credential("p".into(), "k".into());
    let error = AttemptError { status: Some(429), about_model: true, ..limited };
    fail(&accounts, &attempted(Some((key.clone(), 3))), &error);
    let event = events.try_recv().unwrap();
    assert_eq!((event.kind, event.hint, event.http_status), (UrgentKind::RateLimited, hint, 429));
    assert_eq!((event.seen_epoch, event.about_model, event.rest.clone()), (7, true, Some((key, 3))));
    assert_eq!((event.error_type.as_str(), event.subject.model.as_str()), ("rate_limit", "m"));
    assert!(!format!("{event:?}").contains("secret words"));
}

#[test]
fn what_never_counts_is_not_told() {
    let (accounts, mut events) = accounts();
    for failure in [
        Failure::InvalidRequest,
        Failure::ModelNotFound,
        Failure::ClientGone,
        Failure::Timeout(TimeoutPhase::Deadline),
    ] {
        fail(&accounts, &attempted(None), &AttemptError::new(failure, "x"));
    }
    let translated = Attempted { translated: true, ..attempted(None) };
    fail(&accounts, &translated, &AttemptError::new(Failure::MalformedReply, "x"));
    assert!(events.try_recv().is_err());
}

#[test]
fn a_verdict_and_a_wish_name_the_rest_and_its_round() {
    let (accounts, mut events) = accounts();
    let key = CooldownKey::provider("p".into());
    let rest = Cooldown { round: 4, ..recover(key.clone(), 8, WallTime(0), "ops", "") };
    let subject = subject(&attempted(None));
    accounts.permit_wanted(&rest, subject.clone());
    accounts.probed(&rest, &subject, ProbeResult::GivenBack);
    accounts.probed(&rest, &subject, ProbeResult::Recovered);
    let told: Vec<_> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    let kinds: Vec<_> = told.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [UrgentKind::PermitWanted, UrgentKind::Recovered]);
    for event in told {
        assert_eq!((event.rest, event.seen_epoch), (Some((key.clone(), 4)), 9));
    }
}
