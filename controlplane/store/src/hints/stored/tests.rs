use super::*;
use cliproxy_domain::{
    Cooldown, CooldownCause, Evidence, Health, HealthState, KeyHash, KeyRecord, Measured, NodeId, Permit,
    Signal,
};
use proptest::{option, prelude::*, sample::select};

fn rest() -> Cooldown {
    Cooldown {
        key: CooldownKey::credential("claude".into(), "main".into()),
        epoch: 3,
        round: 0,
        started_at: WallTime(1_771_541_400_001),
        until: WallTime(1_771_541_430_002),
        cleared: false,
        cause: CooldownCause::CredentialRejected,
        source: "node-1".into(),
        permit: Permit::default(),
        streak: 1,
        evidence: Evidence::default(),
    }
}

fn read_back(hint: &Hint) -> Hint {
    let row = Row::of(hint).unwrap();
    read(row.key.kind, &row.body).unwrap().unwrap()
}

/// What the last version wrote into the log and, by its migration, into the table.
const LAST_VERSION: &str = r#"{"provider":"claude","credential":"main","epoch":3,"started_ms":1771541400001,
    "until_ms":1771541430002,"cause":"credential_rejected","source_node":"node-1"}"#;

#[test]
fn a_body_of_the_last_version_is_a_first_rest_that_was_not_cleared() {
    assert_eq!(read("cooldown", LAST_VERSION).unwrap().unwrap(), Hint::Cooldown(rest()));
}

#[test]
fn an_epoch_beyond_the_signed_range_of_the_last_version_is_read() {
    let body = LAST_VERSION.replace(r#""epoch":3"#, r#""epoch":18446744073709551615"#);
    assert_eq!(
        read("cooldown", &body).unwrap().unwrap(),
        Hint::Cooldown(Cooldown { epoch: u64::MAX, ..rest() })
    );
}

#[test]
fn what_a_newer_version_added_is_passed_over() {
    let body = LAST_VERSION.replacen(
        '{',
        r#"{"mood":["calm",{"since":1}],"evidence":{"http_status":401,"colour":"red"},"#,
        1,
    );
    let evidence = Evidence { http_status: 401, ..Evidence::default() };
    assert_eq!(read("cooldown", &body).unwrap().unwrap(), Hint::Cooldown(Cooldown { evidence, ..rest() }));
    let body = r#"{"revision":1,"provider":"p","state":"failed","since_ms":5,"mood":null}"#;
    let health = Health {
        revision: 1,
        provider: "p".into(),
        state: HealthState::Failed,
        since: WallTime(5),
        recovered: false,
        recoveries: 0,
        why: String::new(),
    };
    assert_eq!(read("health", body).unwrap().unwrap(), Hint::Health(health));
}

#[test]
fn what_a_newer_version_wrote_is_none() {
    assert_eq!(read("weather", "whatever it is").unwrap(), None);
}

#[test]
fn a_log_with_a_gap_follows_nothing() {
    let logged = |versions: [u64; 2]| {
        let mut logged = Logged::default();
        for version in versions {
            logged.add(HintVersion(version), "weather", "{}").unwrap();
        }
        logged
    };
    assert!(logged([4, 5]).follows(HintVersion(3)));
    assert!(!logged([4, 5]).follows(HintVersion(2)) && !logged([4, 6]).follows(HintVersion(3)));
    assert_eq!(logged([4, 5]).read_on_after(2, 2), Some(HintVersion(5)));
    assert_eq!(logged([4, 5]).read_on_after(2, 3), None, "there were no more");
}

#[test]
fn what_no_version_wrote_is_corrupt_and_the_reason_names_it() {
    let nameless_model = LAST_VERSION.replace(r#""credential":"main""#, r#""model":"m""#);
    let cases = [
        ("cooldown", "{}".to_owned(), "missing field `provider`"),
        ("cooldown", "not JSON".to_owned(), "a hint of the kind `cooldown` cannot be read"),
        ("cooldown", LAST_VERSION.replace("credential_rejected", "boredom"), "unknown variant `boredom`"),
        ("cooldown", LAST_VERSION.replace(r#""epoch":3"#, r#""epoch":-1"#), "invalid value"),
        ("cooldown", nameless_model, "a cooldown of the model `m` names no credential"),
        ("health", r#"{"revision":1}"#.to_owned(), "missing field `provider`"),
    ];
    for (kind, body, reason) in cases {
        let error = read(kind, &body).unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt(text) if text.contains(reason)), "{body}: {error}");
    }
}

#[test]
fn the_fields_are_those_that_later_versions_read() {
    let full = Cooldown {
        key: CooldownKey::model("claude".into(), "main".into(), "m".into()),
        round: 1,
        cleared: true,
        permit: Permit { number: 2, node: Some("node-2".into()) },
        evidence: Evidence {
            http_status: 429,
            error_type: "rate_limit".into(),
            hint: Some(Duration::from_millis(30_001)),
            clamped: true,
            errors: 5,
            window: Duration::from_secs(60),
            by: "ada".into(),
            note: "why".into(),
        },
        ..rest()
    };
    let row = Row::of(&Hint::Cooldown(full)).unwrap();
    assert_eq!((row.key.kind, row.key.key.as_str()), ("cooldown", r#"["claude","main","m"]"#));
    assert_eq!(
        row.body,
        r#"{"provider":"claude","credential":"main","model":"m","epoch":3,"round":1,"started_ms":1771541400001,"#
            .to_owned()
            + r#""until_ms":1771541430002,"cleared":true,"cause":"credential_rejected","source_node":"node-1","#
            + r#""permit_number":2,"permit_node":"node-2","streak":1,"evidence":{"http_status":429,"#
            + r#""error_type":"rate_limit","hint_ms":30001,"clamped":true,"errors":5,"window_ms":60000,"#
            + r#""by":"ada","note":"why"}}"#
    );
}

#[test]
fn only_a_rest_that_no_operator_spoke_of_settles() {
    let settled = |hint: Hint| Row::of(&hint).unwrap().settled_at;
    assert_eq!(settled(Hint::Cooldown(Cooldown { epoch: 0, ..rest() })), Some(rest().until));
    assert_eq!(settled(Hint::Cooldown(rest())), None);
    assert_eq!(
        settled(
            read("health", r#"{"revision":1,"provider":"p","state":"healthy","since_ms":5}"#)
                .unwrap()
                .unwrap()
        ),
        None
    );
}

#[test]
fn a_key_is_stored_as_its_hash_and_one_that_holds_another_is_corrupt() {
    let hash = KeyHash([0xab; 32]);
    let record = KeyRecord {
        revision: 2,
        id: hash.id(),
        client: "ci".into(),
        hash,
        created_at: Some(WallTime(5)),
        expires_at: None,
        revoked_at: Some(WallTime(7)),
        said_by: "cp-1".into(),
    };
    let row = Row::of(&Hint::ClientKey(record.clone())).unwrap();
    assert_eq!((row.key.kind, row.key.key.as_str()), ("client_key", r#"["abababababab"]"#));
    let sha256 = "ab".repeat(32);
    assert_eq!(
        row.body,
        r#"{"revision":2,"id":"abababababab","client":"ci","sha256":""#.to_owned()
            + &sha256
            + r#"","created_ms":5,"revoked_ms":7,"said_by":"cp-1"}"#
    );
    assert_eq!(row.settled_at, record.settled_at());
    assert_eq!(read("client_key", &row.body).unwrap().unwrap(), Hint::ClientKey(record));
    let other = row.body.replacen("abababababab\"", "cdcdcdcdcdcd\"", 1);
    let error = read("client_key", &other).unwrap_err().to_string();
    assert!(error.contains("the record of the key cdcdcdcdcdcd holds the hash of no such key"), "{error}");
}

#[test]
fn what_is_not_stored_has_no_row() {
    let measured = Measured::default();
    let signal = Signal { revision: 1, provider: "p".into(), model: "m".into(), measured };
    assert_eq!(Row::of(&Hint::Signal(signal)), None);
}

fn rests() -> impl Strategy<Value = Cooldown> {
    let scope = ("\\PC{0,9}", option::of(("\\PC{0,9}", option::of("\\PC{0,9}"))));
    let causes = select(vec![
        CooldownCause::RateLimit,
        CooldownCause::QuotaExhausted,
        CooldownCause::CredentialRejected,
        CooldownCause::Error,
        CooldownCause::Manual,
    ]);
    let numbers = (any::<(u64, u32, i64, i64)>(), any::<(u32, u32, bool, bool)>());
    let texts = ("\\PC{0,9}", option::of("\\PC{0,9}"), "\\PC{0,9}", "\\PC{0,9}", ".{0,40}");
    let evidence = (any::<u16>(), option::of(any::<u64>()), any::<u32>(), any::<u64>());
    (scope, causes, numbers, texts, evidence).prop_map(
        |((provider, parts), cause, (whole, small), (source, permit, error_type, by, note), seen)| {
            let (epoch, round, started_ms, until_ms) = whole;
            let (number, streak, cleared, clamped) = small;
            let (http_status, hint_ms, errors, window_ms) = seen;
            let key = match parts {
                None => CooldownKey::provider(provider.into()),
                Some((credential, None)) => CooldownKey::credential(provider.into(), credential.into()),
                Some((credential, Some(model))) => {
                    CooldownKey::model(provider.into(), credential.into(), model.into())
                }
            };
            let evidence = Evidence {
                http_status,
                error_type,
                hint: hint_ms.map(Duration::from_millis),
                clamped,
                errors,
                window: Duration::from_millis(window_ms),
                by,
                note,
            };
            Cooldown {
                key,
                epoch,
                round,
                started_at: WallTime(started_ms),
                until: WallTime(until_ms),
                cleared,
                cause,
                source: source.into(),
                permit: Permit { number, node: permit.map(NodeId::from) },
                streak,
                evidence,
            }
        },
    )
}

proptest! {
    #[test]
    fn any_rest_is_read_as_it_was_written(rest in rests()) {
        let hint = Hint::Cooldown(rest);
        prop_assert_eq!(read_back(&hint), hint);
    }

    #[test]
    fn two_keys_are_one_row_only_when_they_are_one(a in rests(), b in rests()) {
        let row_key = |rest: &Cooldown| RowKey::of(&HintKey::Cooldown(rest.key.clone()));
        prop_assert_eq!(row_key(&a) == row_key(&b), a.key == b.key);
    }

    #[test]
    fn a_health_is_read_as_it_was_written(
        (revision, recoveries, since_ms, recovered) in any::<(u64, u64, i64, bool)>(),
        (provider, why) in ("\\PC{0,9}", ".{0,40}"),
        state in select(vec![
            HealthState::Unknown, HealthState::Healthy, HealthState::Unhealthy, HealthState::Failed,
        ]),
    ) {
        let since = WallTime(since_ms);
        let hint =
            Hint::Health(Health { revision, provider: provider.into(), state, since, recovered, recoveries, why });
        prop_assert_eq!(read_back(&hint), hint);
    }

    #[test]
    fn whatever_text_is_stored_reading_answers(kind in "cooldown|health|client_key|.{0,3}", body in "\\PC{0,40}") {
        // An answer of either kind will do; a panic will not.
        let _ = read(&kind, &body);
    }
}
