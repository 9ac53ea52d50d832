//! What a restart must not lose.

use super::{
    CaseResult, Harness,
    sample::{
        MINUTE, NOW, all_time, around_now, audit, by, config, fence, health, lead, merge, node, outcome,
        report, rest,
    },
};
use crate::{Change, CheckCount, NewConfig, RETAINED_NODES, Store, StoredRequest, UsagePeriod};
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

/// Keeps a lease with its holder and its epoch, and what was given up free.
pub async fn leases_survive_reopening<H: Harness>() -> CaseResult {
    let long = 60 * MINUTE;
    let harness = H::fresh().await;
    lead(harness.store(), "a", long).await?;
    let harness = harness.reopen().await;
    assert_eq!(lead(harness.store(), "b", long).await?, ("a".into(), 1));
    harness.store().change(Change { fence: Some(fence("a", 1)), ..Change::default() }).await?;
    harness.store().resign(fence("a", 1)).await?;
    let harness = harness.reopen().await;
    assert_eq!(lead(harness.store(), "b", long).await?, ("b".into(), 2));
    Ok(())
}

/// Keeps posts and goes on numbering after them.
pub async fn posts_survive_reopening<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    harness.store().post("a".into(), vec![1]).await?;
    let before = harness.store().posts_since(0, 10).await?;
    let harness = harness.reopen().await;
    assert_eq!(harness.store().posts_since(0, 10).await?, before);
    assert_eq!(harness.store().post("b".into(), vec![2]).await?, 2);
    Ok(())
}

/// Keeps the text that a configuration was made of.
pub async fn texts_of_configurations_survive_reopening<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let id = harness.store().put_config(NewConfig { text: Some("a: 1".into()), ..config(10) }).await?;
    let harness = harness.reopen().await;
    assert_eq!(harness.store().config_text(id).await?.as_deref(), Some("a: 1"));
    Ok(())
}

/// Keeps what was rolled up and that it was, what was set aside, and which cursors are wary.
pub async fn roll_ups_survive_reopening<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let later = NOW.plus(RETAINED_NODES + MINUTE);
    harness.store().apply_batches(vec![report("a", &[1, 2])], NOW).await?;
    harness.store().tidy(later, None).await?;
    harness.store().apply_batches(vec![report("a", &[1])], later).await?;
    let hours = harness.store().usage_by(by(UsagePeriod::Hour)).await?;
    let late = harness.store().late_usage(all_time()).await?;
    assert_eq!((hours.len(), late.len()), (1, 1));
    let harness = harness.reopen().await;
    let store = harness.store();
    store.tidy(later, None).await?;
    assert_eq!(store.usage_by(by(UsagePeriod::Hour)).await?, hours);
    assert_eq!(store.late_usage(all_time()).await?, late);
    let cursors = store.apply_batches(vec![report("a", &[1, 2])], later).await?;
    assert_eq!((cursors[0].last, cursors[0].late), (Seq(2), 1));
    Ok(())
}
