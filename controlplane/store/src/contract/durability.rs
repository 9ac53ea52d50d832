//! What a restart must not lose.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, around_now, audit, config, health, merge, node, outcome, report, rest},
};
use crate::{Change, CheckCount, Store, StoredRequest};
use cliproxy_domain::{AuditQuery, HintVersion, Seq};

/// Keeps configurations and goes on numbering after them.
pub async fn configurations_survive_reopening<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    harness.store().put_config(config(10)).await?;
    let id = harness.store().put_config(config(20)).await?;
    let before = harness.store().active_config().await?;
    let harness = harness.reopen().await;
    assert_eq!(harness.store().active_config().await?, before);
    assert_eq!(harness.store().put_config(config(20)).await?, id);
    assert_eq!(harness.store().put_config(config(30)).await?, id.next());
    Ok(())
}

/// Keeps counts and cursors together: what was acknowledged counts, once.
pub async fn usage_and_cursors_survive_reopening<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    harness.store().apply_batches(vec![report("a", &[1, 2])], NOW).await?;
    let usage = harness.store().usage(around_now()).await?;
    let share = harness.store().answered_share(around_now()).await?;
    let harness = harness.reopen().await;
    assert_eq!(harness.store().usage(around_now()).await?, usage);
    assert_eq!(harness.store().answered_share(around_now()).await?, share);
    let cursors = harness.store().apply_batches(vec![report("a", &[1, 2])], NOW).await?;
    assert_eq!(cursors[0].last, Seq(2));
    assert_eq!(harness.store().usage(around_now()).await?, usage);
    Ok(())
}

/// Keeps values, versions and the log, and goes on numbering.
pub async fn hints_and_their_versions_survive_reopening<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    merge(&**harness.store(), vec![rest("a", 0, 60), health("claude", 4), rest("b", 7, 60)]).await?;
    let current = harness.store().hints().await?;
    let log = harness.store().changes_since(HintVersion(0), 10).await?;
    let harness = harness.reopen().await;
    let store = harness.store();
    assert_eq!(store.hints().await?, current);
    assert_eq!(store.changes_since(HintVersion(0), 10).await?, log);
    assert_eq!(merge(&**store, vec![rest("b", 6, 90), health("claude", 3)]).await?, []);
    let next = merge(&**store, vec![rest("a", 0, 90)]).await?;
    assert_eq!(next[0].version, HintVersion(4));
    Ok(())
}

/// Keeps what was written beside the hints, so that a call that is repeated after a restart does nothing.
pub async fn the_audit_log_and_outcomes_survive_reopening<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let change = Change {
        audit: vec![audit("a1", NOW)],
        outcome: Some(outcome("call", "first", NOW)),
        ..Change::default()
    };
    harness.store().change(change.clone()).await?;
    let harness = harness.reopen().await;
    harness.store().change(change).await?;
    assert_eq!(harness.store().audit(AuditQuery::default()).await?, [audit("a1", NOW)]);
    assert_eq!(harness.store().outcome("call".into()).await?.as_deref(), Some("first"));
    Ok(())
}

/// Keeps what uptime is reckoned from, and what requests are explained from.
pub async fn checks_and_requests_survive_reopening<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let count = CheckCount { minute: NOW, provider: "claude".into(), checks: 3, passed: 2 };
    harness.store().record_checks(vec![count.clone()], None).await?;
    let request = StoredRequest { id: "r1".into(), at: NOW, body: "{}".into() };
    harness.store().record_requests(vec![request.clone()], NOW).await?;
    let harness = harness.reopen().await;
    harness.store().record_checks(vec![count], None).await?;
    harness.store().record_requests(vec![StoredRequest { body: "other".into(), ..request }], NOW).await?;
    assert_eq!(harness.store().checks(around_now()).await?, [("claude".into(), (6, 4))].into());
    assert_eq!(harness.store().request("r1".into()).await?.as_deref(), Some("{}"));
    Ok(())
}

/// Keeps nodes, so that a restarted control plane knows whom to expect.
pub async fn nodes_survive_reopening<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    harness.store().see_node(node("a", 2, MINUTE)).await?;
    let harness = harness.reopen().await;
    assert_eq!(harness.store().nodes().await?, [node("a", 2, MINUTE)]);
    Ok(())
}
