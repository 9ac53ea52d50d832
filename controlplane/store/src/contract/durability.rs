//! What a restart must not lose.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, around_now, config, cooldown, node, report},
};
use crate::Store;
use cliproxy_domain::{HintVersion, Seq};

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
pub async fn cooldowns_and_their_versions_survive_reopening<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    harness.store().merge_cooldowns(vec![cooldown("a", 0, 60), cooldown("b", 7, 60)]).await?;
    let current = harness.store().cooldowns(NOW).await?;
    let log = harness.store().changes_since(HintVersion(0), 10).await?;
    let harness = harness.reopen().await;
    assert_eq!(harness.store().cooldowns(NOW).await?, current);
    assert_eq!(harness.store().changes_since(HintVersion(0), 10).await?, log);
    assert_eq!(harness.store().merge_cooldowns(vec![cooldown("b", 6, 90)]).await?, []);
    let next = harness.store().merge_cooldowns(vec![cooldown("a", 0, 90)]).await?;
    assert_eq!(next[0].version, HintVersion(3));
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
