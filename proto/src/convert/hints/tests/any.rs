//! Hints of every kind, scope and size, there and back.

use super::*;
use crate::convert::quota;
use cliproxy_domain::{CredentialName, HealthState, KeyHash, KeyRecord};
use proptest::{collection, option, prelude::*, sample::select};

/// The clock of both ends.
const NOW: WallTime = WallTime(1_771_541_400_000);

/// As far as a time may lie from now to come back to the millisecond: 300,000 years.
const FAR: i64 = 1 << 53;

fn cooldowns() -> impl Strategy<Value = Hint> {
    let key = ("\\PC{1,9}", option::of(("\\PC{0,9}", option::of("\\PC{0,9}"))));
    let key = key.prop_map(|(provider, parts): (String, Option<(String, Option<String>)>)| match parts {
        None => CooldownKey::provider(provider.into()),
        Some((credential, None)) => CooldownKey::credential(provider.into(), credential.into()),
        Some((credential, Some(model))) => {
            CooldownKey::model(provider.into(), CredentialName::from(credential), model.into())
        }
    });
    let causes = select(vec![
        CooldownCause::RateLimit,
        CooldownCause::QuotaExhausted,
        CooldownCause::CredentialRejected,
        CooldownCause::Error,
        CooldownCause::Manual,
    ]);
    let numbers = (any::<(u64, u32, i64)>(), -FAR..FAR, any::<(u32, u32, bool)>());
    let permit = (any::<u32>(), option::of("\\PC{0,9}"));
    (key, causes, numbers, "\\PC{0,9}", permit, evidences()).prop_map(
        |(key, cause, (whole, left, (streak, _, cleared)), source, (number, node), evidence)| {
            let (epoch, round, started_ms) = whole;
            Hint::Cooldown(Cooldown {
                key,
                epoch,
                round,
                started_at: WallTime(started_ms),
                until: WallTime(NOW.0 + left),
                cleared,
                cause,
                source: source.into(),
                permit: Permit { number, node: node.map(NodeId::from) },
                streak,
                evidence,
            })
        },
    )
}

/// Keys of names that are made of little else than what keys are put together with.
fn rest_keys() -> impl Strategy<Value = CooldownKey> {
    let name = "(a|/|%|%2F){0,2}";
    (name, option::of((name, option::of(name)))).prop_map(|(provider, parts)| match parts {
        None => CooldownKey::provider(provider.into()),
        Some((credential, None)) => CooldownKey::credential(provider.into(), credential.into()),
        Some((credential, Some(model))) => {
            CooldownKey::model(provider.into(), credential.into(), model.into())
        }
    })
}

fn evidences() -> impl Strategy<Value = Evidence> {
    let numbers = any::<(u16, bool, u32, u64)>();
    (numbers, option::of(any::<u64>()), ["\\PC{0,9}", "\\PC{0,9}", "\\PC{0,40}"]).prop_map(
        |((http_status, clamped, errors, window_ms), hint_ms, [error_type, by, note])| Evidence {
            http_status,
            error_type,
            hint: hint_ms.map(Duration::from_millis),
            clamped,
            errors,
            window: Duration::from_millis(window_ms),
            by,
            note,
        },
    )
}

fn healths() -> impl Strategy<Value = Hint> {
    let states =
        select(vec![HealthState::Unknown, HealthState::Healthy, HealthState::Unhealthy, HealthState::Failed]);
    (any::<(u64, bool, u64)>(), "\\PC{1,9}", states, 0..FAR, "\\PC{0,40}").prop_map(
        |((revision, recovered, recoveries), provider, state, ago, why)| {
            Hint::Health(Health {
                revision,
                provider: provider.into(),
                state,
                since: WallTime(NOW.0 - ago),
                recovered,
                recoveries,
                why,
            })
        },
    )
}

fn probes() -> impl Strategy<Value = Hint> {
    let nodes = collection::vec("\\PC{1,9}", 0..4);
    (any::<(u64, u64, u32)>(), "\\PC{1,9}", nodes).prop_map(
        |((revision, at_once, node_count), provider, nodes)| {
            Hint::Probe(ProbeAssignment {
                revision,
                provider: provider.into(),
                nodes: nodes.into_iter().map(NodeId::from).collect(),
                at_once,
                node_count,
            })
        },
    )
}

fn signals() -> impl Strategy<Value = Hint> {
    (any::<[u64; 7]>(), ["\\PC{1,9}", "\\PC{1,9}"]).prop_map(|(numbers, [provider, model])| {
        let [revision, streams, first_event_us, wholes, whole_us, input_tokens, output_tokens] = numbers;
        let measured = Measured { streams, first_event_us, wholes, whole_us, input_tokens, output_tokens };
        Hint::Signal(Signal { revision, provider: provider.into(), model: model.into(), measured })
    })
}

fn quotas() -> impl Strategy<Value = Hint> {
    let numbers = (any::<[u64; 3]>(), 0..FAR, option::of(0..FAR));
    (numbers, quota::tests::budgets()).prop_map(|(([revision, used, leased], left, spent), budget)| {
        let (resets_at, spent_at) = (WallTime(NOW.0 + left), spent.map(|ago| WallTime(NOW.0 - ago)));
        Hint::Quota(QuotaSignal { revision, budget, used, leased, spent_at, resets_at })
    })
}

fn client_keys() -> impl Strategy<Value = Hint> {
    let times = [option::of(any::<i64>()), option::of(any::<i64>()), option::of(any::<i64>())];
    (any::<(u64, [u8; 32])>(), ["\\PC{1,9}", "\\PC{0,9}"], times).prop_map(
        |((revision, hash), [client, said_by], times)| {
            let hash = KeyHash(hash);
            let [created_at, expires_at, revoked_at] = times.map(|at| at.map(WallTime));
            Hint::ClientKey(KeyRecord {
                revision,
                id: hash.id(),
                client: client.into(),
                hash,
                created_at,
                expires_at,
                revoked_at,
                said_by: said_by.into(),
            })
        },
    )
}

fn hints() -> impl Strategy<Value = Hint> {
    prop_oneof![cooldowns(), healths(), probes(), signals(), quotas(), client_keys()]
}

proptest! {
    #[test]
    fn a_hint_comes_back_as_it_was(hint in hints()) {
        prop_assert_eq!(from_wire(&to_wire(&hint, NOW), NOW), Ok(Some(hint)));
    }

    #[test]
    fn two_clocks_need_not_agree(hint in prop_oneof![cooldowns(), healths(), quotas()], apart in -FAR..FAR) {
        let elsewhere = WallTime(NOW.0 + apart);
        let received = from_wire(&to_wire(&hint, NOW), elsewhere).unwrap().unwrap();
        let distance = |hint: &Hint, now: WallTime| match hint {
            Hint::Cooldown(rest) => rest.until.0 - now.0,
            Hint::Health(health) => health.since.0 - now.0,
            Hint::Quota(quota) => quota.resets_at.0 - now.0,
            Hint::Probe(_) | Hint::Signal(_) | Hint::ClientKey(_) => 0,
        };
        prop_assert_eq!(distance(&received, elsewhere), distance(&hint, NOW));
    }

    #[test]
    fn two_keys_have_one_name_only_when_they_are_one(a in rest_keys(), b in rest_keys()) {
        let name = |key: &CooldownKey| change_key(&HintKey::Cooldown(key.clone()));
        prop_assert_eq!(name(&a) == name(&b), a == b);
    }

    #[test]
    fn whatever_bytes_come_decoding_answers(kind in 0..12_i32, body in collection::vec(any::<u8>(), 0..64)) {
        let change = v1::Change { kind, key: String::new(), op: v1::Op::Put.into(), body: body.into() };
        // An answer of either kind will do; a panic will not.
        let _ = from_wire(&change, NOW);
    }
}

#[test]
fn what_has_yet_to_begin_begins_now_and_what_is_past_resets_now() {
    let early = Health {
        revision: 1,
        provider: "claude".into(),
        state: HealthState::Healthy,
        since: WallTime(NOW.0 + 1),
        recovered: false,
        recoveries: 0,
        why: String::new(),
    };
    let begun = Health { since: NOW, ..early.clone() };
    assert_eq!(from_wire(&to_wire(&Hint::Health(early), NOW), NOW), Ok(Some(Hint::Health(begun))));
    let late = QuotaSignal {
        revision: 1,
        budget: BudgetId::of_provider("claude", QuotaUnit::Usd),
        used: 2,
        leased: 1,
        spent_at: None,
        resets_at: WallTime(NOW.0 - 1),
    };
    let reset = QuotaSignal { resets_at: NOW, ..late.clone() };
    assert_eq!(from_wire(&to_wire(&Hint::Quota(late), NOW), NOW), Ok(Some(Hint::Quota(reset))));
}

#[test]
fn what_is_left_of_a_quota_is_understood_by_readers_and_of_senders_that_know_only_those_of_providers() {
    let signal = |subject| QuotaSignal {
        revision: 1,
        budget: BudgetId { subject, unit: QuotaUnit::Tokens },
        used: 2,
        leased: 0,
        spent_at: None,
        resets_at: NOW,
    };
    let wire = |subject| {
        let change = to_wire(&Hint::Quota(signal(subject)), NOW);
        v1::QuotaSignal::decode(change.body).unwrap()
    };
    assert_eq!(wire(LimitSubject::Provider("claude".into())).provider, "claude");
    for other in [LimitSubject::Credential("claude".into(), "main".into()), LimitSubject::Client("ci".into())]
    {
        assert_eq!(wire(other).provider, "", "it would be taken for the provider's");
    }
    let older = v1::QuotaSignal { budget: None, ..wire(LimitSubject::Provider("claude".into())) };
    assert_eq!(quota_from_wire(&older, NOW), Ok(signal(LimitSubject::Provider("claude".into()))));
}
