//! Limits that an operator changes while they are spent: lowered, raised, made longer, taken away and put back.

use super::{
    CaseResult, Harness,
    claims::{DAY, NEXT_DAY, ask, asks, budget, claim, first, lease, terms, under, window},
};
use crate::{BudgetTerms, Store, StoreError, Terms};
use cliproxy_domain::{BudgetClaim, WallTime};
use std::ops::Range;

fn of(period: Range<WallTime>, settled_before: Option<u64>) -> Terms {
    let terms = terms(100);
    Terms { budgets: [(budget(), BudgetTerms { limit: 100, period, settled_before })].into(), ..terms }
}

/// Goes by the limit that the newest terms name, and grants nothing while more is spent.
pub async fn another_limit_holds_at_once<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lease(store, &terms(100), vec![ask("a", 80, 80)]).await?;
    assert_eq!(lease(store, &terms(50), vec![ask("b", 10, 10)]).await?[0].granted, 0);
    let window = window(store).await?;
    assert_eq!((window.limit, window.outstanding), (50, 80));
    assert_eq!(lease(store, &terms(200), vec![ask("b", 10, 10)]).await?[0].granted, 10);
    Ok(())
}

/// Has all give back what they do not need when the limit is lowered beneath what is out, once: their slices are of the
/// limit of before.
pub async fn a_limit_that_is_lowered_recalls_what_is_out<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lease(store, &terms(1_000), vec![ask("a", 300, 300), ask("b", 200, 200)]).await?;
    let says = |granted| asks("a", BudgetClaim { granted, ..claim() });
    let lowered = async |limit| {
        let leased = store.lease(under(&terms(limit), vec![says(300)])).await?;
        let others: Vec<_> = leased.recalls.iter().map(|recall| recall.node.to_string()).collect();
        Ok::<_, StoreError>((first(&leased).recall, others))
    };
    assert_eq!(lowered(500).await?, (false, vec![]), "there is room for all that is out");
    assert_eq!(lowered(100).await?, (true, vec!["b".to_owned()]));
    assert_eq!(lowered(100).await?, (false, vec![]), "it was told");
    assert_eq!(lowered(200).await?, (false, vec![]), "it is raised");
    Ok(())
}

/// Asks anew what was spent of a period that another began with which was shorter, and goes on with that.
pub async fn a_period_that_is_made_longer_is_counted_anew<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lease(store, &terms(100), vec![ask("a", 30, 30)]).await?;
    let longer = DAY.start..NEXT_DAY.end;
    let spent = asks("a", BudgetClaim { granted: 30, spent: 20, want: 5, least: 5, ..claim() });
    let leased = store.lease(under(&of(longer.clone(), None), vec![spent.clone()])).await?;
    assert_eq!((leased.unopened, leased.grants[0].budgets.len()), (vec![budget()], 0));
    assert_eq!((window(store).await?.settled, window(store).await?.outstanding), (20, 10));
    let leased = store.lease(under(&of(longer.clone(), Some(70)), vec![spent.clone()])).await?;
    assert_eq!((first(&leased).used, first(&leased).granted), (70, 35));
    let leased = store.lease(under(&of(longer.clone(), None), vec![spent])).await?;
    assert_eq!((leased.unopened, window(store).await?.period), (vec![], longer), "it is known by now");
    Ok(())
}

/// Takes what was spent while nothing was limited for settled, and never less than what is.
pub async fn what_was_spent_while_a_budget_was_away_is_spent<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lease(store, &terms(100), vec![ask("a", 30, 30)]).await?;
    let back = asks("a", BudgetClaim { granted: 30, spent: 10, returned: 20, ..claim() });
    assert_eq!(lease(store, &of(DAY, None), vec![back.clone()]).await?[0].used, 10);
    assert_eq!(lease(store, &of(DAY, Some(60)), vec![back.clone()]).await?[0].used, 60);
    assert_eq!(lease(store, &of(DAY, Some(0)), vec![back]).await?[0].used, 60);
    Ok(())
}

/// Does not tell a process what it was given that has said that it spends no more, and does not know any more: it would
/// have that twice. One that knows goes on with it.
pub async fn who_has_forgotten_what_it_closed_is_told_nothing<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lease(store, &terms(100), vec![ask("a", 80, 80)]).await?;
    let closing = BudgetClaim { granted: 80, spent: 30, returned: 50, closing: true, ..claim() };
    lease(store, &terms(100), vec![asks("a", closing.clone())]).await?;
    let forgot = BudgetClaim { period: None, want: 10, least: 10, ..claim() };
    assert_eq!(lease(store, &terms(100), vec![asks("a", forgot)]).await?, []);
    let knows = BudgetClaim { want: 10, least: 10, closing: false, ..closing };
    assert_eq!(lease(store, &terms(100), vec![asks("a", knows)]).await?[0].granted, 90);
    let window = window(store).await?;
    assert_eq!((window.settled, window.outstanding), (30, 10));
    Ok(())
}
