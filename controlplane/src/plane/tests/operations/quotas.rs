//! What is left of budgets, who holds parts of them, and taking back what is stranded.

use super::{
    cluster::connected,
    keys::{self, change},
    *,
};
use cliproxy_domain::{
    AuditQuery, BudgetClaim, BudgetId, Incarnation, LimitSubject, NodeClaims, Quota, QuotaReset, QuotaUnit,
    RateClaim, RateId, RateKind, RateLimits, Snapshot, WallTime,
};
use cliproxy_store::{BudgetTerms, Leasing, RateTerms, Store, Terms};
use std::sync::Arc;

const QUOTAS: &str = "/v0/operations/quotas";
const RELEASE: &str = "/v0/operations/quotas/release";

/// 2026-02-19, a day in UTC.
const DAY: std::ops::Range<WallTime> = WallTime(1_771_459_200_000)..WallTime(1_771_545_600_000);

fn budget() -> BudgetId {
    BudgetId { subject: LimitSubject::Client("ci".into()), unit: QuotaUnit::Usd }
}

/// A configuration in which a client may use 10 US dollars a day and ask 600 times a minute.
pub(super) fn limited() -> Snapshot {
    let mut snapshot = keys::with_clients();
    if let Some(ci) = snapshot.clients.get_mut("ci") {
        ci.budgets = vec![Quota::new(10_000_000_000, QuotaUnit::Usd, QuotaReset::Daily)];
        ci.rate_limit = RateLimits { requests_per_minute: Some(600), ..RateLimits::default() };
    }
    snapshot
}

/// Has a process of a node hold parts of the client's budget and rate; gives what it was given of the budget.
async fn granted(plane: &Plane, node: &str, incarnation: u64, spent: u64) -> u64 {
    let incarnation = Incarnation(incarnation);
    let rate = RateId { subject: LimitSubject::Client("ci".into()), kind: RateKind::RequestsPerMinute };
    let claim = |granted, spent| BudgetClaim {
        id: budget(),
        holder: incarnation,
        period: Some(DAY.start),
        granted,
        spent,
        returned: 0,
        want: if granted == 0 { 1_000_000_000 } else { 0 },
        least: 0,
        closing: false,
    };
    let mut given = 0;
    for spent in [0, spent] {
        let claims = NodeClaims {
            node: node.into(),
            incarnation,
            req: if given == 0 { 1 } else { 2 },
            budgets: vec![claim(given, spent)],
            rates: vec![RateClaim {
                id: rate.clone(),
                held: 0,
                demand: 10,
                waiting: 1,
                upstream: None,
                closing: false,
            }],
        };
        let terms = Terms {
            budgets: [(
                budget(),
                BudgetTerms { limit: 10_000_000_000, period: DAY, settled_before: Some(0) },
            )]
            .into(),
            rates: [(rate.clone(), RateTerms { limit: 600, safe_share: 100 })].into(),
            nodes: 2,
            ttl: Duration::from_secs(10),
            ..Terms::default()
        };
        let leasing = Leasing { claims: vec![claims], terms: Arc::new(terms), now: START };
        let leased = plane.store.lease(leasing).await.unwrap();
        given = leased.grants[0].budgets[0].granted;
    }
    given
}

/// Has a node that nobody heard of hold a part of the client's budget.
pub(super) async fn hold(plane: &Plane, node: &str) {
    granted(plane, node, 1, 0).await;
}

#[tokio::test]
async fn every_budget_tells_what_is_used_and_who_holds_the_rest() {
    let plane = Plane::configured_with(limited()).await;
    connected(&plane, "node-1");
    let given = granted(&plane, "node-1", 3, 200_000_000).await as f64 / 1e9;
    granted(&plane, "node-2", 1, 0).await;
    let status = plane.get(QUOTAS).await.json;
    let subjects: Vec<_> = status["budgets"].as_array().unwrap().iter().map(|one| &one["subject"]).collect();
    assert_eq!(subjects, [&json!("provider openai"), &json!("client ci")]);
    let ci = &status["budgets"][1];
    assert_eq!((&ci["unit"], &ci["limit"], &ci["used"]), (&json!("usd"), &json!(10.0), &json!(0.2)));
    let sum =
        ci["used"].as_f64().unwrap() + ci["leased"].as_f64().unwrap() + ci["remaining"].as_f64().unwrap();
    assert!((sum - 10.0).abs() < 1e-9, "{ci}");
    assert_eq!(
        (&ci["started_at"], &ci["resets_at"]),
        (&json!("2026-02-19T00:00:00Z"), &json!("2026-02-20T00:00:00Z"))
    );
    assert_eq!((&ci["on_loss"], &ci["policy"]), (&json!("strict"), &json!("stop")));
    let holder = &ci["holders"][0];
    assert_eq!(
        (&holder["node"], &holder["incarnation"], &holder["stranded"]),
        (&json!("node-1"), &json!(3), &json!(false))
    );
    assert!((holder["held"].as_f64().unwrap() - (given - 0.2)).abs() < 1e-9, "{holder}");
    assert_eq!(ci["holders"][1]["stranded"], true, "nobody heard of it");

    let rate = &status["rates"][0];
    assert_eq!(
        (&rate["subject"], &rate["kind"], &rate["limit"]),
        (&json!("client ci"), &json!("requests_per_minute"), &json!(600))
    );
    let share = &rate["shares"][0];
    assert_eq!((&share["node"], &share["demand"]), (&json!("node-1"), &json!(10)));
    assert!(share["share"].as_u64().unwrap() > 0 && rate["free"].as_u64().unwrap() < 600, "{rate}");
    let of_client = plane.get("/v0/operations/clients").await.json["clients"]["ci"]["budgets"][0].clone();
    assert_eq!((&of_client["used"], &of_client["holders"]), (&json!(0.2), &json!([])));
    plane.stop().await;
}

#[tokio::test]
async fn what_a_node_holds_that_is_gone_can_be_granted_again_once_it_is_released() {
    let plane = Plane::configured_with(limited()).await;
    let given = granted(&plane, "node-2", 1, 200_000_000).await as f64 / 1e9;
    let body = r#"{"subject": "client ci", "unit": "usd", "node": "node-2", "reason": "the machine burnt"}"#;
    let released = change(&plane, RELEASE, body).await;
    assert_eq!(released.status, StatusCode::OK, "{released:?}");
    assert!((released.json["released"].as_f64().unwrap() - (given - 0.2)).abs() < 1e-9, "{released:?}");
    assert_eq!(released.json["holders"][0]["incarnation"], 1);
    let ci = plane.get(QUOTAS).await.json["budgets"][1].clone();
    assert_eq!(
        (&ci["leased"], &ci["remaining"], &ci["holders"][0]["held"]),
        (&json!(0.0), &json!(9.8), &json!(0.0))
    );
    let again = change(&plane, RELEASE, body).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    let audit = plane.store.audit(AuditQuery::default()).await.unwrap();
    let entries: Vec<_> = audit.iter().filter(|entry| entry.action == "quota_released").collect();
    assert_eq!((entries.len(), entries[0].reason.as_str()), (1, "the machine burnt"));
    assert_eq!(entries[0].subject, "client ci (usd)");
    plane.stop().await;
}

#[tokio::test]
async fn what_a_node_holds_that_lives_is_not_taken_from_it() {
    let plane = Plane::configured_with(limited()).await;
    connected(&plane, "node-1");
    granted(&plane, "node-1", 3, 0).await;
    let body = r#"{"subject": "client ci", "unit": "usd", "node": "node-1"}"#;
    let refused = change(&plane, RELEASE, body).await;
    assert_eq!((refused.status, &refused.json["error"]["type"]), (StatusCode::CONFLICT, &json!("conflict")));
    let now = START.plus(Duration::from_secs(1));
    plane.state.nodes.disconnected(&"node-1".into(), Incarnation(3), now);
    assert_eq!(
        change(&plane, RELEASE, body).await.status,
        StatusCode::CONFLICT,
        "it may be on its way elsewhere"
    );
    plane.clock.advance(Duration::from_secs(40));
    assert_eq!(change(&plane, RELEASE, body).await.status, StatusCode::OK);
    plane.stop().await;
}

#[tokio::test]
async fn a_budget_that_is_not_there_is_answered_with_those_that_are() {
    let plane = Plane::configured_with(limited()).await;
    let refused = change(&plane, RELEASE, r#"{"subject": "client cli", "unit": "usd", "node": "n"}"#).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert_eq!(
        refused.json["error"]["message"],
        "there is no budget \"client cli\" in \"usd\"; known are provider openai (usd), client ci (usd)"
    );
    plane.store.faults().set_unavailable(true);
    let status = plane.get(QUOTAS).await;
    assert_eq!((status.status, status.json["budgets"].as_array().unwrap().len()), (StatusCode::OK, 2));
    let unknown = change(&plane, RELEASE, r#"{"subject": "client ci", "unit": "usd", "node": "n"}"#).await;
    assert_eq!(unknown.status, StatusCode::SERVICE_UNAVAILABLE, "who holds what is not known: {unknown:?}");
    plane.store.faults().heal();
    plane.stop().await;
}
