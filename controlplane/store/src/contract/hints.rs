//! How hints merge and are numbered.

use super::{
    CaseResult, Harness,
    sample::{NOW, cooldown, health, merge, numbered, rest},
};
use crate::Store;
use cliproxy_domain::{
    BudgetId, Cooldown, CooldownCause, CooldownKey, Hint, HintVersion, Measured, ProbeAssignment,
    QuotaSignal, QuotaUnit, Signal,
};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Numbers from 1 on.
pub async fn the_first_hint_takes_version_one<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(store.hints().await?, (HintVersion(0), vec![]));
    assert_eq!(merge(&**store, vec![rest("k", 0, 10)]).await?, [numbered(1, rest("k", 0, 10))]);
    assert_eq!(store.hints().await?, (HintVersion(1), vec![rest("k", 0, 10)]));
    Ok(())
}

/// Answers a repetition, a shorter rest and an older word with no change.
pub async fn a_hint_that_changes_nothing_takes_no_version<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    merge(&**store, vec![rest("k", 0, 10), health("claude", 2)]).await?;
    let stale = vec![rest("k", 0, 10), rest("k", 0, 5), health("claude", 2), health("claude", 1)];
    assert_eq!(merge(&**store, stale).await?, []);
    assert_eq!(merge(&**store, vec![]).await?, []);
    let current = vec![rest("k", 0, 10), health("claude", 2)];
    assert_eq!(store.hints().await?, (HintVersion(2), current));
    assert_eq!(store.changes_since(HintVersion(2), 10).await?, Some(vec![]));
    Ok(())
}

/// Lets an operator's word end a rest, and ignores what is older than the word, whatever the epoch.
pub async fn a_higher_epoch_wins_over_a_later_end<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    merge(&**store, vec![rest("k", 1, 600)]).await?;
    let recovered = Hint::Cooldown(Cooldown { cleared: true, ..cooldown("k", u64::MAX, 0) });
    assert_eq!(merge(&**store, vec![recovered.clone()]).await?, [numbered(2, recovered)]);
    assert_eq!(merge(&**store, vec![rest("k", 2, 900)]).await?, []);
    Ok(())
}

/// Lets a probe that was answered end a rest of its epoch, and ignores what is older than the answer.
pub async fn a_higher_round_wins_over_a_later_end<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    merge(&**store, vec![rest("k", 1, 600)]).await?;
    let cleared = Hint::Cooldown(Cooldown { round: 1, cleared: true, ..cooldown("k", 1, 5) });
    assert_eq!(merge(&**store, vec![cleared.clone()]).await?, [numbered(2, cleared)]);
    assert_eq!(merge(&**store, vec![rest("k", 1, 900)]).await?, []);
    Ok(())
}

/// Ends with the same value for every order of arrival, with repetitions.
pub async fn values_merge_alike_in_any_order<H: Harness>() -> CaseResult {
    let spent = Cooldown { cause: CooldownCause::QuotaExhausted, source: "b".into(), ..cooldown("k", 1, 20) };
    let values = [rest("k", 0, 900), rest("k", 1, 20), Hint::Cooldown(spent)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let harness = H::fresh().await;
        let store = harness.store();
        for index in order.into_iter().chain(order) {
            merge(&**store, vec![values[index].clone()]).await?;
        }
        assert_eq!(store.hints().await?.1, values[2..], "{order:?}");
    }
    Ok(())
}

/// Numbers several changes in the order given, one key's changes and those of different kinds too.
pub async fn changes_of_one_call_are_numbered_in_order<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let given = vec![
        rest("b", 0, 10),
        health("claude", 1),
        rest("a", 0, 10),
        rest("b", 0, 5),
        health("claude", 2),
        rest("b", 0, 20),
    ];
    let expected = [
        numbered(1, rest("b", 0, 10)),
        numbered(2, health("claude", 1)),
        numbered(3, rest("a", 0, 10)),
        numbered(4, health("claude", 2)),
        numbered(5, rest("b", 0, 20)),
    ];
    assert_eq!(merge(&**store, given).await?, expected);
    assert_eq!(store.changes_since(HintVersion(0), 10).await?, Some(expected.to_vec()));
    Ok(())
}

/// Leaves no gap between changes of many tasks and of both kinds, and logs what it answered.
pub async fn versions_are_contiguous_under_concurrency<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for index in 0..16_u64 {
        let store = Arc::clone(harness.store());
        let hints = vec![
            rest(&format!("own {index}"), 0, 10),
            health("claude", index),
            rest("shared", 0, 10 + index),
            health(&format!("own {index}"), 1),
        ];
        tasks.spawn(async move { merge(&*store, hints).await });
    }
    let answers = tasks.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut answered: Vec<_> = answers.into_iter().flatten().collect();
    answered.sort_by_key(|change| change.version);
    let logged = harness.store().changes_since(HintVersion(0), 100).await?.expect("nothing is forgotten yet");
    assert_eq!(answered, logged);
    let versions: Vec<_> = logged.iter().map(|change| change.version.0).collect();
    assert_eq!(versions, (1..=versions.len() as u64).collect::<Vec<_>>());
    assert_eq!(harness.store().hints().await?.0, HintVersion(versions.len() as u64));
    Ok(())
}

/// Numbers what many nodes report alike once.
pub async fn equal_hints_at_once_take_one_version<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move { merge(&*store, vec![rest("k", 0, 10)]).await });
    }
    let answers = tasks.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(answers.concat(), [numbered(1, rest("k", 0, 10))]);
    Ok(())
}

/// Sorts by kind, then by provider, then the whole before its parts, whatever order the texts have.
pub async fn hints_come_sorted_by_key<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let of = |key: CooldownKey| Hint::Cooldown(Cooldown { key, ..cooldown("", 0, 10) });
    let sorted = vec![
        of(CooldownKey::credential("B".into(), "z".into())),
        of(CooldownKey::provider("a".into())),
        of(CooldownKey::credential("a".into(), "".into())),
        of(CooldownKey::credential("a".into(), "b".into())),
        of(CooldownKey::credential("a".into(), "b\"".into())),
        of(CooldownKey::model("a".into(), "".into(), "m".into())),
        of(CooldownKey::model("a".into(), "b".into(), "a".into())),
        of(CooldownKey::provider("a2".into())),
        of(CooldownKey::provider("é".into())),
        health("A", 1),
        health("a", 1),
    ];
    for first in 0..sorted.len() {
        let mut given = sorted.clone();
        given.rotate_left(first);
        merge(&**harness.store(), given).await?;
        assert_eq!(harness.store().hints().await?, (HintVersion(11), sorted.clone()));
    }
    Ok(())
}

/// Neither keeps nor numbers what is sent again to every node that connects.
pub async fn a_hint_that_is_not_stored_changes_nothing<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let probe = ProbeAssignment {
        revision: 1,
        provider: "claude".into(),
        nodes: vec!["a".into()],
        at_once: 0,
        node_count: 1,
    };
    let signal =
        Signal { revision: 1, provider: "claude".into(), model: "m".into(), measured: Measured::default() };
    let quota = QuotaSignal {
        revision: 1,
        budget: BudgetId::of_provider("claude", QuotaUnit::Tokens),
        used: 1,
        leased: 0,
        spent_at: None,
        resets_at: NOW,
    };
    let given = vec![Hint::Probe(probe), Hint::Signal(signal), rest("k", 0, 10), Hint::Quota(quota)];
    assert_eq!(merge(&**store, given).await?, [numbered(1, rest("k", 0, 10))]);
    assert_eq!(store.hints().await?, (HintVersion(1), vec![rest("k", 0, 10)]));
    Ok(())
}
