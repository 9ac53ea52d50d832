//! What is kept of each hint, and for how long.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, cooldown, health, merge, numbered, rest},
};
use crate::Store;
use cliproxy_domain::{
    Cooldown, CooldownCause, CooldownKey, Evidence, Health, HealthState, Hint, HintVersion, KeyHash,
    KeyRecord, OVER_KEYS_KEPT, Permit, WallTime,
};
use std::time::Duration;

/// Names that could break a text that is put together of them.
const NAMES: [&str; 7] = ["", "main", "a/b", "\"],[\"", "ключ 🔑", "\u{1}\n\t\\", "null"];

fn long_text() -> String {
    "what the operator said, at length; ".repeat(2_000)
}

/// Rests in which no field has the value that an empty body would have.
fn full_rests() -> Vec<Hint> {
    let causes = [
        CooldownCause::RateLimit,
        CooldownCause::QuotaExhausted,
        CooldownCause::CredentialRejected,
        CooldownCause::Error,
        CooldownCause::Manual,
    ];
    let full = |(index, cause): (u64, CooldownCause)| Cooldown {
        key: CooldownKey::model("claude".into(), format!("key {index}").into(), "m".into()),
        epoch: u64::MAX - index,
        round: u32::MAX,
        started_at: WallTime(i64::MIN),
        until: WallTime(i64::MAX),
        cleared: true,
        cause,
        source: "node-1".into(),
        permit: Permit { number: u32::MAX, node: Some("node-2".into()) },
        streak: 7,
        evidence: Evidence {
            http_status: u16::MAX,
            error_type: "rate_limit".into(),
            hint: Some(Duration::from_millis(u64::MAX)),
            clamped: true,
            errors: u32::MAX,
            window: Duration::from_millis(60_001),
            by: "Ada \"the\" Ω".into(),
            note: long_text(),
        },
    };
    (0..).zip(causes).map(full).map(Hint::Cooldown).collect()
}

/// Rests in which every field has the least that it can hold, in each scope.
fn least_rests() -> Vec<Hint> {
    let keys = [
        CooldownKey::provider("".into()),
        CooldownKey::credential("".into(), "".into()),
        CooldownKey::model("".into(), "".into(), "".into()),
    ];
    let least = |key: CooldownKey| Cooldown {
        key,
        source: "".into(),
        permit: Permit::default(),
        streak: 0,
        started_at: WallTime(0),
        until: WallTime(0),
        ..cooldown("", 0, 0)
    };
    keys.into_iter().map(least).map(Hint::Cooldown).collect()
}

fn healths() -> Vec<Hint> {
    let states = [HealthState::Unknown, HealthState::Healthy, HealthState::Unhealthy, HealthState::Failed];
    let of = |(index, state): (u64, HealthState)| Health {
        revision: u64::MAX - index,
        provider: format!("provider {index}").into(),
        state,
        since: WallTime(-1),
        recovered: true,
        recoveries: u64::MAX,
        why: long_text(),
    };
    let empty = Health {
        revision: 0,
        provider: "".into(),
        state: HealthState::Unknown,
        since: WallTime(0),
        recovered: false,
        recoveries: 0,
        why: String::new(),
    };
    (0..).zip(states).map(of).chain([empty]).map(Hint::Health).collect()
}

fn key_record(index: u8) -> KeyRecord {
    let hash = KeyHash([index; 32]);
    KeyRecord {
        revision: u64::MAX - u64::from(index),
        id: hash.id(),
        client: "ci \"the\" Ω".into(),
        hash,
        created_at: Some(NOW),
        expires_at: None,
        revoked_at: None,
        said_by: "cp-1".into(),
    }
}

fn key_records() -> Vec<Hint> {
    let full = KeyRecord {
        expires_at: Some(WallTime(i64::MAX)),
        revoked_at: Some(WallTime(i64::MIN)),
        ..key_record(0xff)
    };
    let empty =
        KeyRecord { revision: 0, client: "".into(), created_at: None, said_by: "".into(), ..key_record(0) };
    [full, key_record(1), empty].map(Hint::ClientKey).into()
}

/// Gives each field back as it was, of every kind and scope, over a restart and from the log as well.
pub async fn every_field_of_a_hint_comes_back_as_it_was<H: Harness>() -> CaseResult {
    let mut given = [full_rests(), least_rests(), healths(), key_records()].concat();
    given.sort_by_key(Hint::key);
    let harness = H::fresh().await;
    let answered = merge(&**harness.store(), given.clone()).await?;
    let harness = harness.reopen().await;
    assert_eq!(harness.store().hints().await?.1, given);
    let logged = harness.store().changes_since(HintVersion(0), 100).await?;
    assert_eq!(logged.as_ref(), Some(&answered));
    let expected: Vec<_> = (1..).zip(given).map(|(version, hint)| numbered(version, hint)).collect();
    assert_eq!(answered, expected);
    Ok(())
}

/// Takes no two names for one, whatever they hold and wherever they could be cut.
pub async fn scopes_are_told_apart_whatever_the_names<H: Harness>() -> CaseResult {
    let mut keys = Vec::new();
    for a in NAMES {
        keys.push(CooldownKey::provider(a.into()));
        for b in NAMES {
            keys.push(CooldownKey::credential(a.into(), b.into()));
            keys.extend(NAMES.map(|c| CooldownKey::model(a.into(), b.into(), c.into())));
        }
    }
    keys.sort();
    let rests = |seconds: u64| -> Vec<Hint> {
        let of = |key: &CooldownKey| Cooldown { key: key.clone(), ..cooldown("", 0, seconds) };
        keys.iter().map(of).map(Hint::Cooldown).collect()
    };
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(merge(&**store, rests(10)).await?.len(), keys.len());
    // Each finds what is known of it: the longer rests replace the shorter ones.
    assert_eq!(merge(&**store, rests(20)).await?.len(), keys.len());
    assert_eq!(merge(&**store, rests(15)).await?, []);
    assert_eq!(store.hints().await?.1, rests(20));
    Ok(())
}

/// Takes a wait that no store keeps in full for what it keeps of it, so that its repetition is no change.
pub async fn parts_of_a_millisecond_make_no_change<H: Harness>() -> CaseResult {
    let exact = |nanos: u64| {
        let waited = Duration::from_nanos(nanos);
        let evidence = Evidence { hint: Some(waited), window: waited, ..Evidence::default() };
        Hint::Cooldown(Cooldown { evidence, ..cooldown("k", 0, 10) })
    };
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(merge(&**store, vec![exact(2_999_999)]).await?, [numbered(1, exact(2_000_000))]);
    assert_eq!(merge(&**store, vec![exact(2_999_999), exact(2_000_001)]).await?, []);
    assert_eq!(merge(&**store, vec![exact(3_000_000)]).await?, [numbered(2, exact(3_000_000))]);
    Ok(())
}

/// Still ignores events from before an operator's word when the rest has ended, and tells nodes of the word.
pub async fn a_rest_that_is_over_keeps_its_epoch<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    merge(&**store, vec![rest("k", 3, 0)]).await?;
    assert_eq!(store.hints().await?.1, [rest("k", 3, 0)]);
    assert_eq!(merge(&**store, vec![rest("k", 2, 600)]).await?, []);
    Ok(())
}

/// Forgets rests that ended before the time given, and neither those that end then nor anything else.
pub async fn rests_are_forgotten_when_they_ended_before<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let whole = Cooldown { key: CooldownKey::provider("claude".into()), ..cooldown("", 0, 59) };
    let given = vec![Hint::Cooldown(whole), rest("a", 0, 59), rest("b", 0, 60), health("claude", 1)];
    merge(&**store, given).await?;
    store.forget_cooldowns(NOW.plus(MINUTE), None).await?;
    assert_eq!(store.hints().await?.1, [rest("b", 0, 60), health("claude", 1)]);
    Ok(())
}

/// Keeps what an operator said however long ago: an event from before it may still come.
pub async fn an_operators_word_is_never_forgotten<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    merge(&**store, vec![rest("a", 1, 0), rest("b", u64::MAX, 0), rest("c", 0, 0)]).await?;
    // A rest that got its epoch later is kept as well.
    merge(&**store, vec![rest("c", 1, 0)]).await?;
    store.forget_cooldowns(WallTime(i64::MAX), None).await?;
    assert_eq!(store.hints().await?.1, [rest("a", 1, 0), rest("b", u64::MAX, 0), rest("c", 1, 0)]);
    Ok(())
}

/// Leaves versions and the log alone; the next rest of the same key is numbered on.
pub async fn forgetting_takes_no_version<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    merge(&**store, vec![rest("k", 0, 10)]).await?;
    store.forget_cooldowns(NOW.plus(MINUTE), None).await?;
    store.forget_cooldowns(NOW.plus(MINUTE), None).await?;
    assert_eq!(store.hints().await?, (HintVersion(1), vec![]));
    assert_eq!(store.changes_since(HintVersion(0), 10).await?, Some(vec![numbered(1, rest("k", 0, 10))]));
    assert_eq!(merge(&**store, vec![rest("k", 0, 5)]).await?, [numbered(2, rest("k", 0, 5))]);
    Ok(())
}

/// Forgets a client's key a month after it was over, and neither one that is valid nor one of the configuration.
pub async fn keys_are_forgotten_when_nothing_hangs_on_them<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let over_by = |index, ago| {
        let over = Some(NOW.minus(OVER_KEYS_KEPT + ago));
        Hint::ClientKey(KeyRecord { revoked_at: over, ..key_record(index) })
    };
    let of_configuration = KeyRecord { created_at: None, revoked_at: Some(WallTime(0)), ..key_record(3) };
    let kept =
        [over_by(2, Duration::ZERO), Hint::ClientKey(of_configuration), Hint::ClientKey(key_record(4))];
    merge(&**store, [over_by(1, MINUTE)].into_iter().chain(kept.clone()).collect()).await?;
    store.forget_cooldowns(NOW, None).await?;
    assert_eq!(store.hints().await?.1, kept);
    Ok(())
}
