//! Usage apart by the client that asked and the price that its cost is reckoned by.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, all_time, answered, by, one_batch},
};
use crate::{Store, StoreError, UsageBy, UsagePeriod, UsageQuery};
use cliproxy_domain::LedgerRow;
use std::{sync::Arc, time::Duration};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A call that a client made at a price; empty names for none.
fn asked_by(client: &str, price: &str, cost_nanos: u64) -> LedgerRow {
    let mut row = answered("claude", 10);
    row.key.client = (!client.is_empty()).then(|| client.into());
    row.key.price = (!price.is_empty()).then(|| price.into());
    LedgerRow { cost_nanos, ..row }
}

/// Counts calls of two clients and of nobody, at two prices and at none, in two hours.
async fn filled<S: Store>(store: &Arc<S>) -> CaseResult {
    let hours = [
        (Duration::ZERO, vec![asked_by("", "", 0), asked_by("ci", "old", 1), asked_by("web", "old", 2)]),
        (2 * HOUR, vec![asked_by("", "new", 4), asked_by("ci", "new", 8), asked_by("ci", "old", 16)]),
    ];
    for (seq, (offset, mut rows)) in (1..).zip(hours) {
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        let now = NOW.plus(offset);
        store.apply_batches(vec![one_batch(seq, now, rows)], now).await?;
    }
    Ok(())
}

/// Shows sums of all times as text: for whom, at which price, calls and cost.
async fn ask<S: Store>(store: &Arc<S>, query: UsageQuery) -> Result<Vec<String>, StoreError> {
    let sums = store.usage_by(query).await?;
    let shown = sums.into_iter().map(|sum| {
        let client = sum.of.client.map_or("-".to_owned(), |name| name.to_string());
        let price = sum.of.price.map_or("-".to_owned(), |name| name.to_string());
        format!("{client} {price} {} {}", sum.attempts.ok, sum.cost_nanos)
    });
    Ok(shown.collect())
}

/// Tells clients and prices apart where they are asked for, nobody and no price first, before and after all is rolled
/// up.
pub async fn clients_and_prices_are_told_apart<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    filled(store).await?;
    let day = |by| UsageQuery { by, ..self::by(UsagePeriod::Day) };
    // NOW is 22:50, so that the second hour is of the next day.
    let none = UsageBy::default();
    for _ in 0..2 {
        assert_eq!(ask(store, day(none)).await?, ["- - 3 28", "- - 3 3"]);
        assert_eq!(
            ask(store, day(UsageBy { client: true, ..none })).await?,
            ["- - 1 4", "ci - 2 24", "- - 1 0", "ci - 1 1", "web - 1 2"]
        );
        assert_eq!(
            ask(store, day(UsageBy { price: true, ..none })).await?,
            ["- new 2 12", "- old 1 16", "- - 1 0", "- old 2 3"]
        );
        assert_eq!(
            ask(store, day(UsageBy { client: true, price: true, ..none })).await?,
            ["- new 1 4", "ci new 1 8", "ci old 1 16", "- - 1 0", "ci old 1 1", "web old 1 2"]
        );
        store.tidy(NOW.plus(6 * HOUR), None).await?;
    }
    Ok(())
}

/// Leaves out other clients, and what nobody asked for, also where clients are not told apart.
pub async fn sums_are_of_the_client_asked_for<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    filled(store).await?;
    let of = |client: &str| UsageQuery { client: Some(client.into()), ..by(UsagePeriod::Hour) };
    for _ in 0..2 {
        assert_eq!(ask(store, of("ci")).await?, ["- - 2 24", "- - 1 1"]);
        assert_eq!(ask(store, of("web")).await?, ["- - 1 2"]);
        assert_eq!(ask(store, of("Web")).await?, Vec::<String>::new());
        store.tidy(NOW.plus(6 * HOUR), None).await?;
    }
    Ok(())
}

/// Brings keys back as they were, sorted as they sort, of all times and of what came late.
pub async fn a_key_comes_back_with_client_and_price<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let mut rows = vec![
        asked_by("", "", 0),
        asked_by("", "v", 1),
        asked_by("ci", "", 2),
        asked_by("ci", "v", 4),
        asked_by("ключ", "v", u64::MAX),
    ];
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    store.apply_batches(vec![one_batch(1, NOW, rows.clone())], NOW).await?;
    for row in &mut rows {
        row.cost_nanos = row.cost_nanos.min(crate::ledger::CELL_MAX);
    }
    assert_eq!(store.usage(all_time()).await?, rows);
    store.tidy(NOW.plus(6 * HOUR), None).await?;
    assert_eq!(store.usage(all_time()).await?, rows);
    assert_eq!(store.usage(NOW.plus(MINUTE)..NOW.plus(HOUR)).await?, []);
    Ok(())
}
