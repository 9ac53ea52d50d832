//! Slices of budgets: never more than the limit, whatever is lost, repeated or comes at once.

use super::{
    CaseResult, Harness,
    claims::{
        DAY, NEXT_DAY, ask, asks, budget, claim, first, hours_after, lease, of_process, released, terms,
        under, window,
    },
    sample::NOW,
};
use crate::{BudgetTerms, Crossed, Learning, LeaseBooks, Leasing, Released, Store, StoreError, Terms};
use cliproxy_domain::{AuditQuery, BudgetClaim, Incarnation, WallTime};
use std::{collections::BTreeMap, sync::Arc};
use tokio::task::JoinSet;

/// Grants what is wanted out of what is left, a part of it at a time, and books it.
pub async fn a_claim_is_granted_a_slice_of_what_is_left<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let grants = lease(store, &terms(1_000), vec![ask("a", 400, 10), ask("b", 400, 200)]).await?;
    // An eighth of a half of it without a need, and what a request needs in any case.
    assert_eq!(grants.iter().map(|grant| grant.granted).collect::<Vec<_>>(), [62, 200]);
    assert_eq!((grants[1].limit, grants[1].used, grants[1].leased), (1_000, 0, 262));
    assert_eq!((grants[1].period, grants[1].ends_in), (DAY.start, DAY.end.since(NOW)));
    let window = window(store).await?;
    assert_eq!((window.limit, window.settled, window.outstanding, window.told), (1_000, 0, 262, 0));
    assert_eq!(window.period, DAY);
    let holders: Vec<_> =
        window.holders.iter().map(|holder| (holder.node.as_str(), holder.granted, holder.free())).collect();
    assert_eq!(holders, [("a", 62, 62), ("b", 200, 200)]);
    Ok(())
}

/// Gives nothing beyond what is claimed for a claim that it has answered: the answer may have been lost, and is in the
/// next one again.
pub async fn a_lost_grant_creates_no_budget<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    for _ in 0..5 {
        assert_eq!(
            lease(store, &terms(1_000), vec![ask("a", 60, 10), ask("b", 90, 90)]).await?[0].granted,
            60
        );
    }
    assert_eq!(window(store).await?.outstanding, 150);
    Ok(())
}

/// Books what is spent and given back once, in whatever order it comes.
pub async fn claims_that_come_late_or_twice_change_nothing<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lease(store, &terms(1_000), vec![ask("a", 100, 100)]).await?;
    let later = asks("a", BudgetClaim { granted: 100, spent: 40, returned: 25, ..claim() });
    let earlier = asks("a", BudgetClaim { granted: 100, spent: 10, ..claim() });
    for claims in [&later, &earlier, &later, &earlier] {
        lease(store, &terms(1_000), vec![claims.clone()]).await?;
        let window = window(store).await?;
        assert_eq!((window.settled, window.outstanding), (40, 35));
        let holder = &window.holders[0];
        assert_eq!((holder.granted, holder.spent, holder.returned, holder.closed), (100, 40, 25, false));
    }
    Ok(())
}

/// Gives to one what another gives back in the same transaction, whichever stands first.
pub async fn what_one_gives_back_another_gets_at_once<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lease(store, &terms(100), vec![ask("b", 100, 100)]).await?;
    let back = asks("b", BudgetClaim { granted: 100, spent: 30, returned: 70, ..claim() });
    let grants = lease(store, &terms(100), vec![ask("a", 60, 60), back]).await?;
    assert_eq!(grants[0].granted, 60);
    let window = window(store).await?;
    assert_eq!((window.settled, window.outstanding), (30, 60));
    Ok(())
}

/// Refuses what is more than what is left, and tells those who hold any to give it back.
pub async fn who_waits_in_vain_has_others_recalled<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let claims = vec![ask("idle", 40, 40), ask("spent", 30, 30), ask("gone", 30, 30)];
    lease(store, &terms(100), claims).await?;
    let all_spent = asks("spent", BudgetClaim { granted: 30, spent: 30, ..claim() });
    let gone = asks("gone", BudgetClaim { granted: 30, closing: true, ..claim() });
    lease(store, &terms(100), vec![all_spent.clone(), gone]).await?;
    let leased = store.lease(under(&terms(100), vec![ask("a", 50, 50), all_spent])).await?;
    assert_eq!(first(&leased).granted, 0);
    assert!(leased.grants.iter().all(|grants| !grants.budgets[0].recall), "neither has anything");
    let recalls: Vec<_> = leased.recalls.iter().map(|recall| recall.node.as_str()).collect();
    assert_eq!(recalls, ["idle"]);
    let recall = &leased.recalls[0].grants.budgets[0];
    assert_eq!((recall.recall, recall.granted, recall.leased), (true, 40, 40));

    // Who claims at the same time hears it with the answer, and only there.
    let idle = asks("idle", BudgetClaim { granted: 40, ..claim() });
    let leased = store.lease(under(&terms(100), vec![ask("a", 50, 50), idle])).await?;
    assert_eq!(leased.recalls, []);
    assert_eq!(leased.grants.iter().map(|of| of.budgets[0].recall).collect::<Vec<_>>(), [false, true]);
    Ok(())
}

/// Never grants more than the limit, to however many at once, over two connections, and in the end nearly all of it.
pub async fn many_at_once_never_pass_the_limit<H: Harness>() -> CaseResult {
    const LIMIT: u64 = 1_000;
    let harness = H::fresh().await;
    let other = harness.another().await;
    let mut tasks = JoinSet::new();
    for index in 0..8 {
        let store = Arc::clone(if index % 2 == 0 { harness.store() } else { &other });
        tasks.spawn(async move {
            let node = format!("node {index}");
            let (mut granted, mut spent) = (0, 0);
            for step in 0..25 {
                // Every other answer is lost: the node does not know what it was given.
                let claims = BudgetClaim { granted, spent, want: 20, least: 7, ..claim() };
                let answer = lease(&store, &terms(LIMIT), vec![asks(&node, claims)]).await?;
                if step % 2 == 1 {
                    granted = answer[0].granted;
                    spent = granted;
                }
                assert!(answer[0].used + answer[0].leased <= LIMIT, "{:?}", answer[0]);
            }
            let closing = BudgetClaim { granted, spent, closing: true, ..claim() };
            lease(&store, &terms(LIMIT), vec![asks(&node, closing)]).await?;
            Ok(spent)
        });
    }
    let spent = tasks.join_all().await.into_iter().collect::<Result<Vec<u64>, StoreError>>()?;
    let window = window(harness.store()).await?;
    assert_eq!((window.settled, window.outstanding), (spent.iter().sum(), 0));
    assert!(window.settled <= LIMIT && window.settled > LIMIT - 2 * 8 * 7, "{window:?}");
    Ok(())
}

/// Begins a period with what was spent of it before, once.
pub async fn a_period_begins_with_what_was_spent_before<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let spent = |before| Terms {
        budgets: [(budget(), BudgetTerms { limit: 100, period: DAY, settled_before: Some(before) })].into(),
        ..terms(100)
    };
    let grants = lease(store, &spent(95), vec![ask("a", 50, 2)]).await?;
    assert_eq!((grants[0].used, grants[0].granted), (95, 2));
    assert_eq!(lease(store, &spent(10), vec![ask("a", 50, 50)]).await?[0].used, 95);
    Ok(())
}

/// Begins no period of which nobody said what was spent before; says so, and grants what is claimed once somebody did.
pub async fn a_period_that_nobody_counted_is_not_begun<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let uncounted = Terms {
        budgets: [(budget(), BudgetTerms { limit: 100, period: DAY, settled_before: None })].into(),
        ..terms(100)
    };
    let leased = store.lease(under(&uncounted, vec![ask("a", 10, 10)])).await?;
    assert_eq!((leased.unopened, leased.grants[0].budgets.len()), (vec![budget()], 0));
    assert_eq!(store.leases(NOW).await?, LeaseBooks::default());
    lease(store, &terms(100), vec![ask("a", 10, 10)]).await?;
    let leased = store.lease(under(&uncounted, vec![ask("b", 10, 10)])).await?;
    assert_eq!((first(&leased).granted, &leased.unopened[..]), (10, &[][..]));
    Ok(())
}

/// Books in the period that is over what was reserved in it, and grants out of the one that runs.
pub async fn a_period_that_is_over_is_settled_and_not_granted_of<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lease(store, &terms(100), vec![ask("a", 80, 80)]).await?;
    let next = Terms {
        budgets: [(budget(), BudgetTerms { limit: 100, period: NEXT_DAY, settled_before: Some(0) })].into(),
        ..terms(100)
    };
    let over = BudgetClaim { granted: 80, spent: 60, want: 90, least: 90, ..claim() };
    let later = |claim| Leasing { now: DAY.end, ..under(&next, vec![asks("a", claim)]) };
    let leased = store.lease(later(over.clone())).await?;
    assert_eq!((first(&leased).period, first(&leased).granted, first(&leased).used), (NEXT_DAY.start, 90, 0));
    let closing = BudgetClaim { want: 0, least: 0, closing: true, spent: 70, ..over };
    assert_eq!(first(&store.lease(later(closing)).await?).granted, 90, "of the period that runs");
    let books = store.leases(NOW).await?;
    let settled: Vec<_> =
        books.windows.iter().map(|of| (of.period.start, of.settled, of.outstanding)).collect();
    assert_eq!(settled, [(DAY.start, 70, 0), (NEXT_DAY.start, 0, 90)]);
    Ok(())
}

/// Still books what is spent of a budget that is no more, and answers nothing of it.
pub async fn a_budget_that_is_no_more_is_settled<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lease(store, &terms(100), vec![ask("a", 80, 80)]).await?;
    let none = Terms { budgets: BTreeMap::new(), ..terms(100) };
    let closing = BudgetClaim { granted: 80, spent: 30, want: 5, closing: true, ..claim() };
    let leased = store.lease(under(&none, vec![asks("a", closing), ask("b", 10, 10)])).await?;
    assert!(leased.grants.iter().all(|grants| grants.budgets.is_empty()));
    let window = window(store).await?;
    assert_eq!((window.settled, window.outstanding, window.holders.len()), (30, 0, 1));
    Ok(())
}

/// Takes from a later process of a node what an earlier one left, and grants the later one for itself.
pub async fn what_a_dead_process_left_comes_back_by_the_word_of_the_next<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lease(store, &terms(100), vec![ask("a", 90, 90)]).await?;
    let found = BudgetClaim { granted: 90, spent: 20, closing: true, ..claim() };
    let mut claims = of_process(2, asks("a", BudgetClaim { want: 40, least: 40, period: None, ..claim() }));
    claims.budgets[0].holder = Incarnation(2);
    claims.budgets.push(found);
    for _ in 0..2 {
        let grants = lease(store, &terms(100), vec![claims.clone()]).await?;
        assert_eq!((grants.len(), grants[0].granted, grants[0].used, grants[0].leased), (1, 40, 20, 40));
    }
    let window = window(store).await?;
    let holders =
        window.holders.iter().map(|of| (of.incarnation.0, of.free(), of.closed)).collect::<Vec<_>>();
    assert_eq!(holders, [(1, 0, true), (2, 40, false)]);
    Ok(())
}

/// Takes back what was on its way to a process that was killed before it heard of it.
pub async fn a_grant_that_nobody_heard_of_comes_back<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lease(store, &terms(100), vec![ask("a", 90, 90)]).await?;
    let unheard = BudgetClaim { period: None, closing: true, ..claim() };
    let claims = of_process(2, asks("a", unheard));
    let grants = lease(store, &terms(100), vec![claims, ask("b", 100, 100)]).await?;
    assert_eq!(grants.iter().map(|grant| grant.granted).collect::<Vec<_>>(), [0, 100]);
    Ok(())
}

/// Writes down what holders say after commits were lost, and grants nothing until it has listened.
pub async fn a_store_that_learns_writes_down_and_grants_nothing<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let learning = Terms { learning: Learning { budgets: true, rates: true }, ..terms(100) };
    let held = BudgetClaim { granted: 70, spent: 10, want: 20, least: 5, ..claim() };
    let grants = lease(store, &learning, vec![asks("a", held.clone()), ask("b", 20, 20)]).await?;
    assert_eq!(grants.iter().map(|grant| grant.granted).collect::<Vec<_>>(), [70, 0]);
    assert_eq!((window(store).await?.settled, window(store).await?.outstanding), (10, 60));
    let grants = lease(store, &terms(100), vec![ask("b", 40, 40), asks("a", held)]).await?;
    assert_eq!(grants.iter().map(|grant| grant.granted).collect::<Vec<_>>(), [0, 75]);
    Ok(())
}

/// Tells each part of the limit once, by what is spent and not by what is held; not again after a restart.
pub async fn a_part_of_the_limit_is_told_once_when_it_is_spent<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let crossed = async |store: &Arc<H::Store>, spent| {
        let claims = asks("a", BudgetClaim { granted: 100, spent, ..claim() });
        let told = store.lease(under(&terms(100), vec![claims.clone(), claims])).await?.crossed;
        Ok::<_, StoreError>(told.into_iter().map(|told| (told.percent, told.settled)).collect::<Vec<_>>())
    };
    let store = harness.store();
    lease(store, &terms(100), vec![ask("a", 100, 100)]).await?;
    assert_eq!(crossed(store, 0).await?, [], "all of it is held, and nothing is spent");
    assert_eq!(crossed(store, 49).await?, []);
    assert_eq!(crossed(store, 50).await?, [(50, 50)]);
    assert_eq!(crossed(store, 79).await?, []);
    let harness = harness.reopen().await;
    let store = harness.store();
    assert_eq!(crossed(store, 79).await?, []);
    assert_eq!(crossed(store, 96).await?, [(80, 96), (95, 96)]);
    assert_eq!(window(store).await?.told, 95);
    assert_eq!(crossed(store, 100).await?, []);
    let entries = store.audit(AuditQuery::default()).await?;
    let mut said: Vec<_> =
        entries.iter().map(|entry| (entry.action.as_str(), entry.reason.as_str())).collect();
    said.sort_unstable();
    let spent =
        ["50 % of 100 tokens are spent", "80 % of 100 tokens are spent", "95 % of 100 tokens are spent"];
    assert_eq!(said, spent.map(|reason| ("quota_threshold", reason)), "what was told is written with it");
    Ok(())
}

/// Tells a part of the limit to one of many that settle at once.
pub async fn one_of_many_is_told_of_a_part_of_the_limit<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let other = harness.another().await;
    lease(harness.store(), &terms(100), vec![ask("a", 60, 60)]).await?;
    let mut tasks = JoinSet::new();
    for index in 0..8 {
        let store = Arc::clone(if index % 2 == 0 { harness.store() } else { &other });
        tasks.spawn(async move {
            let spent = asks("a", BudgetClaim { granted: 60, spent: 60, ..claim() });
            Ok(store.lease(under(&terms(100), vec![spent])).await?.crossed)
        });
    }
    let told = tasks.join_all().await.into_iter().collect::<Result<Vec<_>, StoreError>>()?.concat();
    let expected = Crossed { id: budget(), period: DAY, percent: 50, settled: 60, limit: 100 };
    assert_eq!(told, [expected]);
    Ok(())
}

/// Has an operator take back what a node holds, in all periods that run; whoever was released and lives is heard again.
pub async fn an_operator_takes_back_what_a_node_holds<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lease(store, &terms(100), vec![ask("a", 60, 60), ask("b", 40, 40)]).await?;
    let first = |amount| Released { incarnation: Incarnation(1), period: DAY.start, amount };
    assert_eq!(store.release_escrow(released("a", Some(2))).await?, []);
    assert_eq!(store.release_escrow(released("a", Some(1))).await?, [first(60)]);
    assert_eq!(store.release_escrow(released("a", None)).await?, [first(0)]);
    assert_eq!(store.release_escrow(released("nobody", None)).await?, []);
    assert_eq!(window(store).await?.outstanding, 40);
    assert_eq!(lease(store, &terms(100), vec![ask("c", 60, 60)]).await?[0].granted, 60);

    let lives = asks("a", BudgetClaim { granted: 60, spent: 25, ..claim() });
    lease(store, &terms(100), vec![lives]).await?;
    let window = window(store).await?;
    assert_eq!((window.settled, window.outstanding), (25, 135), "what it still holds is out again");
    let ended = crate::ReleaseEscrow { now: DAY.end, ..released("b", None) };
    assert_eq!(store.release_escrow(ended).await?, [], "the period has ended");
    Ok(())
}

/// Keeps amounts at the highest number instead of wrapping, and grants nothing by nonsense.
pub async fn nonsense_neither_wraps_nor_grants<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let most = u64::MAX;
    let nonsense =
        BudgetClaim { granted: most, spent: most, returned: most, want: most, least: most, ..claim() };
    for limit in [100, most] {
        let grants = lease(store, &terms(limit), vec![asks("a", nonsense.clone()), ask("b", 1, 1)]).await?;
        assert_eq!(grants[1].granted, 0);
    }
    let window = window(store).await?;
    assert_eq!((window.settled, window.outstanding), (i64::MAX as u64, 0));
    Ok(())
}

/// Keeps what is granted over a restart.
pub async fn slices_survive_reopening<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    lease(harness.store(), &terms(100), vec![ask("a", 80, 80)]).await?;
    let before = harness.store().leases(NOW).await?;
    let harness = harness.reopen().await;
    assert_eq!(harness.store().leases(NOW).await?, before);
    assert_eq!(lease(harness.store(), &terms(100), vec![ask("b", 30, 30)]).await?[0].granted, 0);
    Ok(())
}

/// Tells of periods that have not ended, and forgets those that ended long ago with all who had any of them.
pub async fn periods_are_forgotten_after_their_time<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lease(store, &terms(100), vec![ask("a", 80, 80)]).await?;
    assert_eq!(store.leases(hours_after(DAY.end, 0)).await?.windows, []);
    store.tidy(hours_after(DAY.end, 7 * 24), None).await?;
    assert_eq!(window(store).await?.holders.len(), 1);
    store.tidy(hours_after(DAY.end, 8 * 24), None).await?;
    assert_eq!(store.leases(WallTime(0)).await?.windows, []);
    assert_eq!(
        lease(store, &terms(100), vec![ask("b", 100, 100)]).await?[0].granted,
        100,
        "all is forgotten"
    );
    Ok(())
}
