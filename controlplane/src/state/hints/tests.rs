use super::*;
use crate::state::sample;
use cliproxy_domain::{
    CooldownCause, CredentialName, Evidence, HealthState, KeyHash, KeyRecord, NodeId, OVER_KEYS_KEPT, Permit,
    Scope,
};
use std::time::Duration;

const NOW: WallTime = WallTime(1_771_541_430_000);
const HOUR: Duration = Duration::from_secs(3_600);

fn rest(scope: Scope, epoch: u64, until: WallTime) -> Hint {
    Hint::Cooldown(Cooldown {
        key: CooldownKey { provider: "claude".into(), scope },
        epoch,
        round: 0,
        started_at: NOW,
        until,
        cleared: false,
        cause: CooldownCause::RateLimit,
        source: NodeId::from("node-1"),
        permit: Permit::default(),
        streak: 1,
        evidence: Evidence::default(),
    })
}

fn of_model(model: String, until: WallTime) -> Hint {
    rest(Scope::Model { credential: "main".into(), model: model.into() }, 0, until)
}

fn of_credential(credential: &str, epoch: u64) -> Hint {
    rest(Scope::Credential(CredentialName::from(credential)), epoch, NOW.plus(HOUR))
}

fn empty() -> Hints {
    Hints::new(HintVersion(0), Vec::new())
}

fn snapshot() -> Snapshot {
    let claude = sample::provider("claude", |_| {});
    Snapshot { providers: [(claude.name.clone(), claude)].into(), ..Snapshot::default() }
}

#[test]
fn models_that_clients_make_up_do_not_grow_without_bound_and_keep_nothing_else_out() {
    let hints = empty();
    for i in 0..KEEP {
        assert!(hints.merge(of_model(format!("m{i}"), NOW.plus(HOUR)), NOW).is_some());
    }
    assert_eq!(hints.merge(of_model("one-more".into(), NOW.plus(HOUR)), NOW), None);
    assert!(hints.merge(of_model("m0".into(), NOW.plus(2 * HOUR)), NOW).is_some(), "a known one is extended");
    assert!(hints.merge(of_credential("main", 0), NOW).is_some());
    assert!(hints.merge(rest(Scope::Provider, 0, NOW.plus(HOUR)), NOW).is_some());
    // What is over makes room.
    let later = NOW.plus(HOUR).plus(2 * RISE);
    assert!(hints.merge(of_model("one-more".into(), later.plus(HOUR)), later).is_some());
    assert!(hints.cooldowns().len() < 10);
}

#[test]
fn what_rested_after_an_operators_word_makes_room_as_well_and_the_word_stays() {
    let hints = empty();
    let word = rest(Scope::Provider, 1, NOW);
    hints.merge(word.clone(), NOW);
    let since = |model: String| match of_model(model, NOW.plus(HOUR)) {
        Hint::Cooldown(rest) => Hint::Cooldown(Cooldown { epoch: 1, ..rest }),
        other => other,
    };
    for i in 0..KEEP {
        hints.merge(since(format!("m{i}")), NOW);
    }
    let later = NOW.plus(2 * HOUR);
    assert!(hints.merge(since("one-more".into()), later).is_some());
    assert_eq!(hints.cooldowns().len(), 2);
    hints.forget_ended(later.plus(HOUR));
    assert_eq!(hints.stored().1, [word]);
}

#[test]
fn the_epoch_in_force_is_the_highest_that_covers_a_call() {
    let hints = empty();
    let call = LedgerKey { provider: "claude".into(), credential: "main".into(), model: "m".into() };
    assert_eq!(hints.epoch(&call), 0);
    hints.merge(rest(Scope::Provider, 2, NOW), NOW);
    hints.merge(of_credential("main", 5), NOW);
    hints.merge(of_credential("spare", 9), NOW);
    assert_eq!(hints.epoch(&call), 5);
}

#[test]
fn the_outlook_is_laid_out_anew_only_when_something_changed() {
    let (hints, snapshot) = (empty(), snapshot());
    let first = hints.outlook(ConfigId(1), &snapshot);
    assert!(Arc::ptr_eq(&first, &hints.outlook(ConfigId(1), &snapshot)));
    hints.merge(of_credential("main", 0), NOW);
    let second = hints.outlook(ConfigId(1), &snapshot);
    assert!(second.provider("claude").unwrap().credentials[0].rest.is_some());
    hints.merge(of_credential("main", 0), NOW);
    assert!(Arc::ptr_eq(&second, &hints.outlook(ConfigId(1), &snapshot)), "a repetition changes nothing");
    assert!(!Arc::ptr_eq(&second, &hints.outlook(ConfigId(2), &snapshot)));
}

#[test]
fn an_operators_word_and_health_outlive_their_provider() {
    let hints = empty();
    let health = Hint::Health(Health {
        revision: 7,
        provider: "claude".into(),
        state: HealthState::Healthy,
        since: NOW,
        recovered: false,
        recoveries: 0,
        why: String::new(),
    });
    for hint in [of_credential("main", 0), of_credential("spare", 3), health.clone()] {
        hints.merge(hint, NOW);
    }
    hints.forget_unconfigured(&Snapshot::default());
    assert_eq!(hints.stored().1, [of_credential("spare", 3), health]);
}

#[test]
fn a_key_outlives_its_client_until_nothing_hangs_on_it() {
    let hash = KeyHash([1; 32]);
    let record = KeyRecord {
        revision: 1,
        id: hash.id(),
        client: "ci".into(),
        hash,
        created_at: Some(NOW),
        expires_at: Some(NOW),
        revoked_at: None,
        said_by: "cp-1".into(),
    };
    let hints = empty();
    hints.merge(Hint::ClientKey(record.clone()), NOW);
    hints.forget_unconfigured(&Snapshot::default());
    hints.forget_ended(NOW.plus(OVER_KEYS_KEPT));
    assert_eq!(hints.stored().1, [Hint::ClientKey(record)]);
    hints.forget_ended(NOW.plus(OVER_KEYS_KEPT + Duration::from_millis(1)));
    assert_eq!(hints.stored().1, []);
}
