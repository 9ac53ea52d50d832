//! Shares of rates: together never more than the limit.

use super::{
    CaseResult, Harness,
    claims::{TTL, ask, of_process, rate, rates, share, terms, under},
    sample::NOW,
};
use crate::{Learning, RateTerms, ShareLease, Store, StoreError, Terms};
use cliproxy_domain::{
    BudgetClaim, BudgetId, Incarnation, LimitSubject, QuotaUnit, RateClaim, RateGrant, RateId, RateKind,
    UpstreamLimit,
};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

fn shares(grants: &[RateGrant]) -> Vec<u64> {
    grants.iter().map(|grant| grant.share).collect()
}

/// Divides the limit by what is needed, and says how long that holds and what holds afterwards.
pub async fn a_rate_is_shared_by_what_is_needed<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let alone = share(store, &terms(100), vec![rates("a", 1, 0, 30)]).await?;
    assert_eq!((alone[0].share, alone[0].limit, alone[0].safe_share, alone[0].ttl), (100, 100, 10, TTL));
    // Nothing is left until the first has said that it keeps to less.
    assert_eq!(shares(&share(store, &terms(100), vec![rates("b", 1, 0, 30)]).await?), [0]);
    let smaller = share(store, &terms(100), vec![rates("a", 2, 100, 30)]).await?[0].share;
    assert!(smaller < 100, "{smaller}");
    let told = share(store, &terms(100), vec![rates("a", 3, smaller, 30), rates("b", 2, 0, 30)]).await?;
    assert_eq!(told[0].share + told[1].share, 100);
    Ok(())
}

/// Gives the same share for a claim that comes again, and none for one that comes after a later one.
pub async fn a_claim_of_a_rate_that_comes_late_is_not_answered<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let first = share(store, &terms(100), vec![rates("a", 2, 0, 30)]).await?;
    assert_eq!(share(store, &terms(100), vec![rates("a", 2, 0, 30)]).await?, first);
    assert_eq!(share(store, &terms(100), vec![rates("a", 1, 0, 30)]).await?, []);
    let later = of_process(2, rates("a", 1, 0, 30));
    assert_eq!(share(store, &terms(100), vec![later.clone()]).await?.len(), 1);
    assert_eq!(share(store, &terms(100), vec![rates("a", 3, 0, 30)]).await?, [], "its process is over");
    Ok(())
}

/// Tells those who have more than they need that others wait.
pub async fn who_has_more_than_it_needs_is_recalled<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    share(store, &terms(100), vec![rates("a", 1, 0, 5)]).await?;
    let leased = store.lease(under(&terms(100), vec![rates("b", 1, 0, 60)])).await?;
    let recalls: Vec<_> = leased
        .recalls
        .iter()
        .map(|recall| (recall.node.as_str(), recall.grants.rates[0].share, recall.grants.rates[0].recall))
        .collect();
    assert_eq!(recalls, [("a", 100, true)]);
    let leased = store.lease(under(&terms(100), vec![rates("a", 2, 100, 5), rates("b", 2, 0, 60)])).await?;
    assert_eq!(leased.recalls, []);
    Ok(())
}

/// Never shares more than the limit among however many that ask at once, over two connections.
pub async fn many_at_once_never_share_more_than_the_limit<H: Harness>() -> CaseResult {
    const LIMIT: u64 = 97;
    let harness = H::fresh().await;
    let other = harness.another().await;
    let mut tasks = JoinSet::new();
    for index in 0..8_u64 {
        let store = Arc::clone(if index % 2 == 0 { harness.store() } else { &other });
        tasks.spawn(async move {
            let mut held = 0;
            for req in 1..=20 {
                let claims = rates(&format!("node {index}"), req, held, 1 + (index * req) % 40);
                let granted = share(&store, &terms(LIMIT), vec![claims]).await?;
                // It keeps to the larger of both until it has said that it keeps to less.
                held = granted[0].share;
            }
            Ok(held)
        });
    }
    let last = tasks.join_all().await.into_iter().collect::<Result<Vec<u64>, StoreError>>()?;
    assert!(last.iter().sum::<u64>() <= LIMIT, "{last:?}");
    let held: u64 = harness.store().leases(NOW).await?.shares.iter().map(|share| share.held).sum();
    assert!(held <= LIMIT && held >= last.iter().sum(), "{held} of {last:?}");
    Ok(())
}

/// Goes by what the provider said last, until that is long ago, and brings it back as it was.
pub async fn a_providers_word_bounds_a_rate<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let said = UpstreamLimit {
        limit: 40,
        remaining: 3,
        resets_in: Duration::from_secs(1),
        age: Duration::from_millis(1_500),
    };
    let mut claims = rates("a", 1, 0, 30);
    claims.rates[0].upstream = Some(said);
    assert_eq!(share(harness.store(), &terms(100), vec![claims]).await?[0].limit, 40);
    let harness = harness.reopen().await;
    assert_eq!(share(harness.store(), &terms(100), vec![rates("b", 1, 0, 30)]).await?[0].limit, 40);
    Ok(())
}

/// Writes shares down and answers nobody while the store listens.
pub async fn a_store_that_learns_answers_no_rates<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let learning = Terms { learning: Learning { budgets: false, rates: true }, ..terms(100) };
    assert_eq!(share(store, &learning, vec![rates("a", 1, 70, 30)]).await?, []);
    let shares = store.leases(NOW).await?.shares;
    assert_eq!((shares.len(), shares[0].held), (1, 70));
    assert_eq!(share(store, &terms(100), vec![rates("b", 1, 0, 90)]).await?[0].share, 30);
    Ok(())
}

/// Answers nothing of rates that there are none of.
pub async fn a_rate_that_is_no_more_is_not_answered<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let none = Terms { rates: [].into(), ..terms(100) };
    assert_eq!(share(store, &none, vec![rates("a", 1, 0, 30)]).await?, []);
    assert_eq!(store.leases(NOW).await?.shares, []);
    Ok(())
}

/// Tells limits apart by whose they are and what they count, whatever the names.
pub async fn limits_are_told_apart<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let subjects = [
        LimitSubject::Provider("a".into()),
        LimitSubject::Credential("a".into(), "a".into()),
        LimitSubject::Credential("a".into(), "b".into()),
        LimitSubject::Client("a".into()),
        LimitSubject::Client("ключ \"/\'\u{1b}\n".into()),
    ];
    let base = terms(100);
    let (mut all, mut claims) =
        (Terms { budgets: [].into(), rates: [].into(), ..base.clone() }, ask("n", 1, 1));
    claims.rates = rates("n", 1, 0, 1).rates;
    let (one, of_rate) = (claims.budgets.remove(0), claims.rates.remove(0));
    for (number, subject) in (1..).zip(subjects) {
        for unit in QuotaUnit::ALL {
            let id = BudgetId { subject: subject.clone(), unit };
            let least = number + unit as u64 * 10;
            claims.budgets.push(BudgetClaim { id: id.clone(), least, ..one.clone() });
            all.budgets.extend(base.budgets.values().map(|terms| (id.clone(), terms.clone())));
        }
        for kind in RateKind::ALL {
            let id = RateId { subject: subject.clone(), kind };
            let terms = RateTerms { limit: number + kind as u64 * 10, safe_share: 0 };
            claims.rates.push(RateClaim { id: id.clone(), ..of_rate.clone() });
            all.rates.insert(id, terms);
        }
    }
    store.lease(under(&all, vec![claims.clone()])).await?;
    let books = store.leases(NOW).await?;
    assert_eq!((books.windows.len(), books.shares.len()), (15, 15));
    for claim in &claims.budgets {
        let window = books.windows.iter().find(|window| window.id == claim.id).expect("it was claimed");
        assert_eq!(window.outstanding, claim.least, "{}", claim.id);
    }
    for (id, terms) in &all.rates {
        let lease = books.shares.iter().find(|share| share.id == *id).expect("it was claimed");
        assert_eq!(lease.share, terms.limit, "{id}");
    }
    assert!(books.windows.is_sorted_by_key(|window| &window.id));
    assert!(books.shares.is_sorted_by_key(|share| &share.id));
    Ok(())
}

/// Keeps numbers of processes and claims beyond the signed range as they are, and amounts at its end.
pub async fn numbers_of_rates_beyond_the_signed_range_are_kept<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let last = of_process(u64::MAX, rates("a", u64::MAX, u64::MAX, u64::MAX));
    let granted = share(store, &terms(100), vec![last.clone()]).await?;
    assert_eq!(share(store, &terms(100), vec![last]).await?, granted);
    let early = of_process(u64::MAX, rates("a", 1, 0, 1));
    assert_eq!(share(store, &terms(100), vec![early]).await?, []);
    let kept = store.leases(NOW).await?.shares.remove(0);
    assert_eq!((kept.id, kept.incarnation), (rate(), Incarnation(u64::MAX)));
    assert!(kept.held >= i64::MAX as u64);
    assert_eq!(shares(&share(store, &terms(100), vec![rates("b", 1, 0, 1)]).await?), [0]);
    Ok(())
}

/// Keeps shares over a restart, with the time that they have left.
pub async fn shares_survive_reopening<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    share(harness.store(), &terms(100), vec![rates("a", 1, 0, 30)]).await?;
    let harness = harness.reopen().await;
    let kept = harness.store().leases(NOW).await?.shares;
    let expected = |ends_in| ShareLease {
        id: rate(),
        node: "a".into(),
        incarnation: Incarnation(1),
        share: 100,
        held: 100,
        demand: 30,
        ends_in,
    };
    assert_eq!(kept, [expected(kept[0].ends_in)]);
    assert!(kept[0].ends_in <= TTL + TTL / 50, "{:?}", kept[0].ends_in);
    assert_eq!(shares(&share(harness.store(), &terms(100), vec![rates("b", 1, 0, 30)]).await?), [0]);
    Ok(())
}
