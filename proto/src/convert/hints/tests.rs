mod any;

use super::*;
use cliproxy_domain::{Cooldown, CooldownCause, CooldownKey, Evidence, Permit};

fn cooldown() -> Cooldown {
    Cooldown {
        key: CooldownKey::credential("claude".into(), "main".into()),
        epoch: 3,
        round: 1,
        started_at: WallTime(1_000),
        until: WallTime(61_000),
        cleared: false,
        cause: CooldownCause::RateLimit,
        source: "node-1".into(),
        permit: Permit { number: 2, node: Some("node-2".into()) },
        streak: 1,
        evidence: Evidence { http_status: 429, hint: Some(Duration::from_secs(60)), ..Evidence::default() },
    }
}

fn received(change: &v1::Change, now: WallTime) -> Cooldown {
    match from_wire(change, now).unwrap() {
        Some(Hint::Cooldown(cooldown)) => cooldown,
        other => panic!("not a cooldown: {other:?}"),
    }
}

#[test]
fn the_receivers_clock_counts_what_was_left_at_sending() {
    let sent = to_wire(&Hint::Cooldown(cooldown()), WallTime(21_000));
    let minute_ahead = WallTime(81_000);
    let received = received(&sent, minute_ahead);
    assert_eq!(received.until, minute_ahead.plus(Duration::from_secs(40)));
    assert_eq!(received, Cooldown { until: received.until, ..cooldown() });
}

#[test]
fn a_rest_that_is_past_its_end_stays_so_and_keeps_its_age() {
    let sent = to_wire(&Hint::Cooldown(cooldown()), WallTime(500_000));
    assert_eq!(received(&sent, WallTime(450_000)).until, WallTime(11_000));
}

#[test]
fn a_kind_from_the_future_is_skipped() {
    let change = v1::Change { kind: 99, ..to_wire(&Hint::Cooldown(cooldown()), WallTime(0)) };
    assert_eq!(from_wire(&change, WallTime(0)), Ok(None));
}

#[test]
fn a_key_without_a_whole_hash_is_an_error() {
    let wire = v1::ClientKeyRecord { client: "ci".into(), sha256: vec![1; 31], ..Default::default() };
    let change = v1::Change {
        kind: v1::Kind::ClientKey.into(),
        key: "010101010101".into(),
        op: v1::Op::Put.into(),
        body: Message::encode_to_vec(&wire).into(),
    };
    let error = from_wire(&change, WallTime(0)).unwrap_err().to_string();
    assert_eq!(error, "ClientKeyRecord.sha256 is 31; it must be 32 bytes long");
}

#[test]
fn a_hint_that_names_nothing_is_an_error() {
    let change = v1::Change { body: Default::default(), ..to_wire(&Hint::Cooldown(cooldown()), WallTime(0)) };
    let error = from_wire(&change, WallTime(0)).unwrap_err();
    assert_eq!(error, ConvertError::Missing { field: "Cooldown.provider" });
}

#[test]
fn hints_are_never_deleted() {
    let change =
        v1::Change { op: v1::Op::Delete.into(), ..to_wire(&Hint::Cooldown(cooldown()), WallTime(0)) };
    assert!(from_wire(&change, WallTime(0)).is_err());
}

#[test]
fn a_model_rests_only_with_its_credential() {
    let wire = v1::Cooldown {
        provider: "claude".into(),
        model: Some("m".into()),
        cause: "error".into(),
        ..v1::Cooldown::default()
    };
    let change =
        v1::Change { body: wire.encode_to_vec().into(), ..to_wire(&Hint::Cooldown(cooldown()), WallTime(0)) };
    assert_eq!(from_wire(&change, WallTime(0)), Err(ConvertError::Missing { field: "Cooldown.credential" }));
}

#[test]
fn a_rest_of_an_older_sender_has_no_evidence_and_no_permit() {
    let wire = v1::Cooldown {
        provider: "claude".into(),
        credential: Some("main".into()),
        epoch: 3,
        remaining_ms: 60_000,
        cause: "rate_limit".into(),
        source_node: "node-1".into(),
        started_at_ms: 1_000,
        ..v1::Cooldown::default()
    };
    let change =
        v1::Change { body: wire.encode_to_vec().into(), ..to_wire(&Hint::Cooldown(cooldown()), WallTime(0)) };
    let expected = Cooldown {
        round: 0,
        permit: Permit::default(),
        streak: 0,
        evidence: Evidence::default(),
        ..cooldown()
    };
    assert_eq!(received(&change, WallTime(1_000)), expected);
}

#[test]
fn a_status_that_is_none_is_refused_by_name() {
    let evidence = Some(v1::Evidence { http_status: 65_536, ..v1::Evidence::default() });
    let wire = v1::Cooldown { evidence, ..cooldown::to_wire(&cooldown(), WallTime(0)) };
    let error = cooldown::from_wire(wire, WallTime(0)).unwrap_err();
    assert_eq!(error.to_string(), "Evidence.http_status is 65536; it must be at most 65535");
}

#[test]
fn keys_tell_budgets_apart() {
    let credential = |provider: &str, name: &str| LimitSubject::Credential(provider.into(), name.into());
    let subjects = [
        LimitSubject::Provider("a".into()),
        LimitSubject::Provider("a/b".into()),
        credential("a", "b"),
        LimitSubject::Client("a".into()),
        LimitSubject::Client("a/b".into()),
    ];
    let key = |subject| change_key(&HintKey::Quota(BudgetId { subject, unit: QuotaUnit::Usd }));
    assert_eq!(subjects.map(key), ["usd:a", "usd:a%2Fb", "usd:a/b", "usd:/a", "usd:/a%2Fb"]);
}

#[test]
fn keys_tell_names_with_slashes_apart() {
    let keys = [
        CooldownKey::provider("a".into()),
        CooldownKey::credential("a".into(), "b/c".into()),
        CooldownKey::credential("a".into(), "b%2Fc".into()),
        CooldownKey::model("a".into(), "b".into(), "c".into()),
        CooldownKey::model("a".into(), "b/c".into(), "d/e".into()),
        CooldownKey::model("a".into(), "b".into(), "c/d/e".into()),
    ];
    let texts = keys.map(|key| change_key(&HintKey::Cooldown(key)));
    assert_eq!(texts, ["a", "a/b%2Fc", "a/b%252Fc", "a/b/c", "a/b%2Fc/d/e", "a/b/c/d/e"]);
}
