use super::*;
use proptest::{collection, prelude::*};

fn rows() -> impl Strategy<Value = Vec<LedgerRow>> {
    let key = ("[a-z]{1,4}", "[a-z]{1,4}", "[a-z]{1,4}");
    let numbers = (any::<[u32; 9]>(), any::<[u32; 6]>());
    collection::btree_map(key, numbers, 0..6).prop_map(|rows| rows.into_iter().map(row).collect())
}

fn row(
    ((provider, credential, model), (a, t)): ((String, String, String), ([u32; 9], [u32; 6])),
) -> LedgerRow {
    let [ok, err_4xx, rate_limited, err_5xx, timeout, connect, cancelled, retried, latency_us] =
        a.map(u64::from);
    let [input, output, cache_read, cache_write, reasoning, estimated] = t.map(u64::from);
    LedgerRow {
        key: LedgerKey { provider: provider.into(), credential: credential.into(), model: model.into() },
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
        },
        tokens: TokenUsage { input, output, cache_read, cache_write, reasoning, estimated },
    }
}

fn event() -> UrgentEvent {
    UrgentEvent {
        id: "0190".into(),
        node: "node-1".into(),
        kind: UrgentKind::RateLimited,
        key: CooldownKey { provider: "claude".into(), credential: "main".into() },
        http_status: 429,
        rest: Duration::from_millis(30_250),
        seen_epoch: 4,
    }
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
}

#[test]
fn an_event_comes_back_as_it_was() {
    for kind in [UrgentKind::RateLimited, UrgentKind::QuotaExhausted, UrgentKind::CredentialRejected] {
        let event = UrgentEvent { kind, ..event() };
        assert_eq!(event_from_wire(&event_to_wire(&event)).unwrap(), event);
    }
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
fn an_event_of_no_kind_is_refused() {
    let wire = v1::UrgentEvent { kind: 0, ..event_to_wire(&event()) };
    assert!(event_from_wire(&wire).is_err());
    let wire = v1::UrgentEvent { http_status: 70_000, ..event_to_wire(&event()) };
    assert_eq!(
        event_from_wire(&wire).unwrap_err().to_string(),
        "UrgentEvent.http_status is 70000; it must be at most 65535"
    );
}
