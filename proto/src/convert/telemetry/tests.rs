use super::*;
use proptest::{collection, option, prelude::*, sample::select};

fn rows() -> impl Strategy<Value = Vec<LedgerRow>> {
    let name = || option::of("[a-z]{1,4}");
    let key = ("[a-z]{1,4}", "[a-z]{1,4}", "[a-z]{1,4}", name(), name());
    let numbers = (any::<[u64; 12]>(), any::<[u64; 6]>(), any::<u64>());
    collection::btree_map(key, numbers, 0..6).prop_map(|rows| rows.into_iter().map(row).collect())
}

type Key = (String, String, String, Option<String>, Option<String>);

fn row((key, (attempts, tokens, cost_nanos)): (Key, ([u64; 12], [u64; 6], u64))) -> LedgerRow {
    let (provider, credential, model, client, price) = key;
    let [ok, err_4xx, rate_limited, err_5xx, timeout, connect, cancelled, retried, timed @ ..] = attempts;
    let [latency_us, streams, stream_us, first_event_us] = timed;
    let [input, output, cache_read, cache_write, reasoning, estimated] = tokens;
    LedgerRow {
        key: UsageKey {
            provider: provider.into(),
            credential: credential.into(),
            model: model.into(),
            client: client.map(Into::into),
            price: price.map(Into::into),
        },
        attempts: AttemptCounts {
            ok,
            err_4xx,
            rate_limited,
            err_5xx,
            timeout,
            connect,
            cancelled,
            retried,
            latency_us,
            streams,
            stream_us,
            first_event_us,
        },
        tokens: TokenUsage { input, output, cache_read, cache_write, reasoning, estimated },
        cost_nanos,
    }
}

const KINDS: [UrgentKind; 6] = [
    UrgentKind::RateLimited,
    UrgentKind::QuotaExhausted,
    UrgentKind::CredentialRejected,
    UrgentKind::Failed,
    UrgentKind::Recovered,
    UrgentKind::PermitWanted,
];

fn event() -> UrgentEvent {
    UrgentEvent {
        id: "0190".into(),
        node: "node-1".into(),
        kind: UrgentKind::RateLimited,
        subject: LedgerKey { provider: "claude".into(), credential: "main".into(), model: "m".into() },
        about_model: false,
        rest: None,
        http_status: 429,
        error_type: "rate_limit".into(),
        hint: Some(Duration::from_millis(30_250)),
        seen_epoch: 4,
        age: Duration::from_millis(3),
    }
}

/// Events of all kinds, about rests of all scopes of their subject.
fn events() -> impl Strategy<Value = UrgentEvent> {
    let names = ["\\PC{1,9}", "\\PC{1,9}", "\\PC{1,9}", "\\PC{1,9}", "\\PC{1,9}"];
    let numbers = any::<(u16, u64, u64, bool, u32)>();
    (select(KINDS.to_vec()), names, "[a-z_]{0,9}", numbers, option::of(any::<u64>()), 0..4_u8).prop_map(
        |(kind, [id, node, provider, credential, model], error_type, numbers, hint_ms, scope)| {
            let (http_status, seen_epoch, age_ms, about_model, round) = numbers;
            let subject =
                LedgerKey { provider: provider.into(), credential: credential.into(), model: model.into() };
            let LedgerKey { provider, credential, model } = subject.clone();
            let rest = match scope {
                0 => None,
                1 => Some(CooldownKey::provider(provider)),
                2 => Some(CooldownKey::credential(provider, credential)),
                _ => Some(CooldownKey::model(provider, credential, model)),
            };
            UrgentEvent {
                id,
                node: node.into(),
                kind,
                subject,
                about_model,
                rest: rest.map(|key| (key, round)),
                http_status,
                error_type,
                hint: hint_ms.map(Duration::from_millis),
                seen_epoch,
                age: Duration::from_millis(age_ms),
            }
        },
    )
}

proptest! {
    #[test]
    fn a_batch_comes_back_as_it_was(seq in 1..u64::MAX, start in any::<i32>(), window in any::<u32>(), rows in rows()) {
        let batch = Batch {
            incarnation: Incarnation(7),
            seq: Seq(seq),
            window_start: WallTime(start.into()),
            window: Duration::from_millis(window.into()),
            rows,
        };
        prop_assert_eq!(batch_from_wire(&batch_to_wire(&batch), Incarnation(7)).unwrap(), batch);
    }

    #[test]
    fn an_event_comes_back_as_it_was(event in events()) {
        prop_assert_eq!(event_from_wire(&event_to_wire(&event)).unwrap(), event);
    }

    #[test]
    fn a_probes_result_comes_back_as_it_was(
        (provider, error_type) in ("\\PC{1,9}", "[a-z_]{0,9}"),
        (healthy, http_status, took_ms, age_ms) in any::<(bool, u16, u64, u64)>(),
    ) {
        let report = ProbeReport {
            node: "node-1".into(),
            provider: provider.into(),
            healthy,
            http_status,
            error_type,
            took: Duration::from_millis(took_ms),
            age: Duration::from_millis(age_ms),
        };
        prop_assert_eq!(probe_from_wire(&probe_to_wire(&report), "node-1".into()).unwrap(), report);
    }
}

#[test]
fn a_row_of_an_older_sender_has_no_streams() {
    let row = v1::Row {
        provider: "p".into(),
        credential: "c".into(),
        model: "m".into(),
        ok: 3,
        ..Default::default()
    };
    let batch = v1::Batch { seq: 1, rows: vec![row], ..Default::default() };
    let attempts = batch_from_wire(&batch, Incarnation(1)).unwrap().rows[0].attempts;
    assert_eq!(attempts, AttemptCounts { ok: 3, ..AttemptCounts::default() });
}

#[test]
fn sequence_numbers_start_at_one() {
    let error = batch_from_wire(&v1::Batch::default(), Incarnation(1)).unwrap_err();
    assert_eq!(error.to_string(), "Batch.seq is 0; it must be at least 1");
}

#[test]
fn a_key_that_comes_twice_is_refused() {
    let row =
        v1::Row { provider: "p".into(), credential: "c".into(), model: "m".into(), ..Default::default() };
    let batch = v1::Batch { seq: 1, rows: vec![row.clone(), row], ..Default::default() };
    let error = batch_from_wire(&batch, Incarnation(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Batch.rows \"p/c/m\" is out of order; rows must be sorted by key, one a key"
    );
}

#[test]
fn what_is_no_event_is_refused_by_name() {
    let about = |scope: &str| Some(v1::RestName { scope: scope.into(), round: 1 });
    let whole = || event_to_wire(&event());
    let cases = [
        (v1::UrgentEvent { kind: 0, ..whole() }, "UrgentEvent.kind is 0; it must be 1 to 6"),
        (v1::UrgentEvent { kind: 7, ..whole() }, "UrgentEvent.kind is 7; it must be 1 to 6"),
        (v1::UrgentEvent { event_id: String::new(), ..whole() }, "UrgentEvent.event_id is missing"),
        (v1::UrgentEvent { node_id: String::new(), ..whole() }, "UrgentEvent.node_id is missing"),
        (v1::UrgentEvent { provider: String::new(), ..whole() }, "UrgentEvent.provider is missing"),
        (v1::UrgentEvent { credential: String::new(), ..whole() }, "UrgentEvent.credential is missing"),
        (v1::UrgentEvent { model: String::new(), ..whole() }, "UrgentEvent.model is missing"),
        (
            v1::UrgentEvent { http_status: 70_000, ..whole() },
            "UrgentEvent.http_status is 70000; it must be at most 65535",
        ),
        (
            v1::UrgentEvent { rest: about("planet"), ..whole() },
            "RestName.scope is \"planet\"; it must be one of: provider, credential, model",
        ),
    ];
    for (wire, message) in cases {
        let error = event_from_wire(&wire).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn what_is_no_result_of_a_probe_is_refused_by_name() {
    let cases = [
        (v1::ProbeReport::default(), "ProbeReport.provider is missing"),
        (
            v1::ProbeReport { provider: "p".into(), http_status: 65_536, ..Default::default() },
            "ProbeReport.http_status is 65536; it must be at most 65535",
        ),
    ];
    for (wire, message) in cases {
        let error = probe_from_wire(&wire, "node-1".into()).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
