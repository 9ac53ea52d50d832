use super::*;
use cliproxy_domain::{BudgetId, LimitSubject, QuotaUnit, RateId, RateKind};
use proptest::{collection, option, prelude::*, sample::select};
use prost::Message;

const NODE: &str = "node-1";
const PROCESS: Incarnation = Incarnation(7);

fn subjects() -> impl Strategy<Value = LimitSubject> {
    let name = "\\PC{1,9}";
    prop_oneof![
        name.prop_map(|provider| LimitSubject::Provider(provider.into())),
        (name, name)
            .prop_map(|(provider, credential)| LimitSubject::Credential(provider.into(), credential.into())),
        name.prop_map(|client| LimitSubject::Client(client.into())),
    ]
}

pub(in crate::convert) fn budgets() -> impl Strategy<Value = BudgetId> {
    (subjects(), select(QuotaUnit::ALL.to_vec())).prop_map(|(subject, unit)| BudgetId { subject, unit })
}

fn rates() -> impl Strategy<Value = RateId> {
    (subjects(), select(RateKind::ALL.to_vec())).prop_map(|(subject, kind)| RateId { subject, kind })
}

fn amounts() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(MOST), 0..=MOST]
}

fn durations() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_millis)
}

prop_compose! {
    fn budget_claims()(
        id in budgets(), holder in any::<u64>(), period in option::of(any::<i64>()), sums in [amounts(), amounts(), amounts()],
        want in amounts(), least in amounts(), closing in any::<bool>(),
    ) -> BudgetClaim {
        let known = period.is_some();
        let [granted, spent, returned] = if known { sums } else { [0; 3] };
        let (holder, period) = (Incarnation(holder), period.map(WallTime));
        BudgetClaim { id, holder, period, granted, spent, returned, want, least, closing: closing && known }
    }
}

prop_compose! {
    fn rate_claims()(
        id in rates(), numbers in [amounts(), amounts(), amounts()],
        upstream in option::of((amounts(), amounts(), durations(), durations())),
    ) -> RateClaim {
        let [held, demand, waiting] = numbers;
        let upstream = upstream.map(|(limit, remaining, resets_in, age)| UpstreamLimit { limit, remaining, resets_in, age });
        RateClaim { id, held, demand, waiting, upstream, closing: held % 2 == 1 }
    }
}

prop_compose! {
    fn budget_grants()(
        id in budgets(), period in any::<i64>(), ends_in in durations(), granted in amounts(),
        told in any::<[u64; 3]>(), recall in any::<bool>(),
    ) -> BudgetGrant {
        let [limit, used, leased] = told;
        BudgetGrant { id, period: WallTime(period), ends_in, granted, limit, used, leased, recall }
    }
}

prop_compose! {
    fn rate_grants()(
        id in rates(), share in amounts(), ttl in durations(), safe_share in amounts(), limit in any::<u64>(),
        recall in any::<bool>(),
    ) -> RateGrant {
        RateGrant { id, share, ttl, safe_share, limit, recall }
    }
}

/// Nothing is odd.
fn never(error: ConvertError) {
    panic!("{error}");
}

proptest! {
    #[test]
    fn claims_come_as_they_went(
        budgets in collection::btree_map(budgets(), budget_claims(), 0..4),
        rates in collection::btree_map(rates(), rate_claims(), 0..4),
        req in any::<u64>(),
    ) {
        let budgets = budgets.into_iter().map(|(id, claim)| BudgetClaim { id, ..claim }).collect();
        let rates = rates.into_iter().map(|(id, claim)| RateClaim { id, ..claim }).collect();
        let claims = NodeClaims { node: NODE.into(), incarnation: PROCESS, req, budgets, rates };
        let bytes = claims_to_wire(&claims).encode_to_vec();
        let wire = v1::LeaseUp::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!((wire.req, wire.node_id.as_str(), wire.incarnation), (req, NODE, PROCESS.0));
        prop_assert_eq!(claims_from_wire(&wire, &claims.node, PROCESS, never), claims);
    }

    #[test]
    fn grants_come_as_they_went(
        budgets in collection::vec(budget_grants(), 0..4),
        rates in collection::vec(rate_grants(), 0..4),
        req in any::<u64>(),
    ) {
        let grants = NodeGrants { budgets, rates };
        let bytes = grants_to_wire(&grants, req).encode_to_vec();
        let wire = v1::LeaseDown::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(wire.req, req);
        prop_assert_eq!(grants_from_wire(&wire, never), grants);
    }

    #[test]
    fn whatever_comes_over_the_wire_is_taken_or_told(bytes in collection::vec(any::<u8>(), 0..200)) {
        if let Ok(up) = v1::LeaseUp::decode(bytes.as_slice()) {
            let mut odd = 0;
            let claims = claims_from_wire(&up, &NODE.into(), PROCESS, |_| odd += 1);
            let told = claims.budgets.len() + claims.rates.len() + odd;
            prop_assert_eq!(told, up.budgets.len() + up.rates.len());
        }
    }
}

fn claim() -> v1::BudgetClaim {
    let id = BudgetId { subject: LimitSubject::Client("ci".into()), unit: QuotaUnit::Tokens };
    let wire = v1::BudgetClaim { id: Some(budget_to_wire(&id)), ..v1::BudgetClaim::default() };
    v1::BudgetClaim { holder: PROCESS.0, period_ms: Some(0), granted: 10, spent: 5, ..wire }
}

fn odd(budgets: Vec<v1::BudgetClaim>) -> Vec<String> {
    let mut told = Vec::new();
    let count = budgets.len();
    let up = v1::LeaseUp { budgets, ..v1::LeaseUp::default() };
    let claims = claims_from_wire(&up, &NODE.into(), PROCESS, |error| told.push(error.to_string()));
    assert_eq!(claims.budgets.len() + told.len(), count);
    told
}

#[test]
fn nonsense_is_told_by_name_and_the_rest_is_taken() {
    let of = |change: fn(&mut v1::BudgetClaim)| {
        let mut claim = claim();
        change(&mut claim);
        claim
    };
    let told = odd(vec![
        claim(),
        of(|claim| claim.id = None),
        of(|claim| claim.id.as_mut().unwrap().unit = "euros".into()),
        of(|claim| claim.id.as_mut().unwrap().subject = Some(v1::LimitSubject { subject: None })),
        of(|claim| claim.spent = MOST + 1),
        of(|claim| claim.period_ms = None),
    ]);
    assert_eq!(
        told,
        [
            "BudgetId is missing; the sender must set it",
            "BudgetId.unit is \"euros\"; it must be one of: tokens, requests, usd",
            "LimitSubject.subject is missing; the sender must set it",
            "BudgetClaim.spent is 9223372036854775808; it must be at most 2^63 - 1",
            "BudgetClaim.period_ms is missing; the sender must set it",
        ]
    );
}

#[test]
fn sums_of_one_holder_are_told_once_and_those_of_another_process_or_period_beside_them() {
    let earlier = v1::BudgetClaim { holder: 6, closing: true, ..claim() };
    let before = v1::BudgetClaim { period_ms: Some(-1), ..claim() };
    assert_eq!(
        odd(vec![claim(), earlier, before, claim()]),
        ["BudgetClaim.id \"client ci (tokens)\" is there twice; names must be unique"]
    );
}

#[test]
fn a_subject_without_a_name_is_none() {
    let subject = |subject| Some(v1::LimitSubject { subject: Some(subject) });
    let nameless = [
        v1::limit_subject::Subject::Provider(String::new()),
        v1::limit_subject::Subject::Credential(v1::CredentialRef {
            provider: "claude".into(),
            ..Default::default()
        }),
        v1::limit_subject::Subject::Client(String::new()),
    ];
    for nobody in nameless {
        let id = v1::BudgetId { subject: subject(nobody), unit: "tokens".into() };
        let error = budget_from_wire(Some(&id)).unwrap_err();
        assert!(matches!(error, ConvertError::Missing { .. }), "{error}");
    }
}
