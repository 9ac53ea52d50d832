//! Usage as it is asked for: by period, provider, credential and model.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, all_time, answered, by, distinct, key, one_batch},
};
use crate::{Store, StoreError, UsageBy, UsageOf, UsagePeriod, UsageQuery, UsageSum};
use cliproxy_domain::{LedgerKey, LedgerRow, WallTime};
use std::{sync::Arc, time::Duration};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn called(provider: &str, credential: &str, model: &str, input: u64) -> LedgerRow {
    let key = LedgerKey { credential: credential.into(), ..key(provider, model) };
    LedgerRow { key: key.into(), ..answered(provider, input) }
}

/// Counts calls of two providers, credentials and models, in three minutes of two hours.
async fn filled<S: Store>(store: &Arc<S>) -> CaseResult {
    let minutes = [
        (Duration::ZERO, vec![called("claude", "main", "m", 1), called("claude", "spare", "m", 2)]),
        (MINUTE, vec![called("claude", "main", "n", 4), called("azure", "main", "m", 8)]),
        (10 * MINUTE, vec![called("azure", "main", "m", 16), called("claude", "main", "m", 32)]),
    ];
    for (seq, (offset, rows)) in (1..).zip(minutes) {
        store.apply_batches(vec![one_batch(seq, NOW.plus(offset), rows)], NOW.plus(offset)).await?;
    }
    Ok(())
}

/// Shows sums as text: when, what is told apart, and the tokens.
fn shown(sums: Vec<UsageSum>) -> Vec<String> {
    let one = |sum: UsageSum| {
        let minute = sum.at.since(NOW.minus(HOUR)).as_secs() / 60;
        let name = |name: Option<String>| name.unwrap_or("-".into());
        let provider = name(sum.of.provider.map(|name| name.to_string()));
        let credential = name(sum.of.credential.map(|name| name.to_string()));
        let model = name(sum.of.model.map(|name| name.to_string()));
        format!("{minute} {provider} {credential} {model} {}", sum.tokens.input)
    };
    sums.into_iter().map(one).collect()
}

async fn ask<S: Store>(store: &Arc<S>, query: UsageQuery) -> Result<Vec<String>, StoreError> {
    Ok(shown(store.usage_by(query).await?))
}

/// Gives nothing of nothing.
pub async fn a_store_without_usage_has_no_sums<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    for period in [UsagePeriod::Minute, UsagePeriod::Hour, UsagePeriod::Day] {
        assert_eq!(harness.store().usage_by(by(period)).await?, []);
    }
    Ok(())
}

/// Brings back each counter in its place, over nodes and minutes.
pub async fn every_counter_is_summed_in_its_place<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let rows = [distinct("claude", "m", 1 << 40), distinct("claude", "m", 7)];
    for (seq, row) in (1..).zip(rows.clone()) {
        store.apply_batches(vec![one_batch(seq, NOW.plus(MINUTE), vec![row])], NOW).await?;
    }
    let mut both = rows[0].clone();
    both.add(&rows[1]);
    let LedgerRow { attempts, tokens, cost_nanos, .. } = both;
    for period in [UsagePeriod::Minute, UsagePeriod::Hour, UsagePeriod::Day] {
        let at = period.start_of(NOW.plus(MINUTE));
        let sum = UsageSum { at, of: UsageOf::default(), attempts, tokens, cost_nanos };
        assert_eq!(store.usage_by(by(period)).await?, [sum], "{period:?}");
    }
    Ok(())
}

/// Gives one sum a period, the newest first, where nothing is told apart.
pub async fn periods_come_the_newest_first<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    filled(store).await?;
    assert_eq!(ask(store, by(UsagePeriod::Minute)).await?, ["70 - - - 48", "61 - - - 12", "60 - - - 3"]);
    assert_eq!(ask(store, by(UsagePeriod::Hour)).await?, ["70 - - - 48", "10 - - - 15"]);
    let day = store.usage_by(by(UsagePeriod::Day)).await?;
    assert_eq!(day.iter().map(|sum| (sum.at, sum.tokens.input)).collect::<Vec<_>>(), [(midnight(), 63)]);
    Ok(())
}

fn midnight() -> WallTime {
    UsagePeriod::Day.start_of(NOW)
}

/// Tells apart what is asked for, sorted by names within a period.
pub async fn sums_are_told_apart_by_what_is_asked_for<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    filled(store).await?;
    let hour = |by| UsageQuery { by, ..self::by(UsagePeriod::Hour) };
    let none = UsageBy::default();
    assert_eq!(
        ask(store, hour(UsageBy { provider: true, ..none })).await?,
        ["70 azure - - 16", "70 claude - - 32", "10 azure - - 8", "10 claude - - 7"]
    );
    assert_eq!(
        ask(store, hour(UsageBy { model: true, ..none })).await?,
        ["70 - - m 48", "10 - - m 11", "10 - - n 4"]
    );
    let by_credential = [
        "70 azure main - 16",
        "70 claude main - 32",
        "10 azure main - 8",
        "10 claude main - 5",
        "10 claude spare - 2",
    ];
    assert_eq!(ask(store, hour(UsageBy { credential: true, ..none })).await?, by_credential);
    assert_eq!(ask(store, hour(UsageBy { provider: true, credential: true, ..none })).await?, by_credential);
    assert_eq!(
        ask(store, hour(UsageBy { provider: true, credential: true, model: true, ..none })).await?,
        [
            "70 azure main m 16",
            "70 claude main m 32",
            "10 azure main m 8",
            "10 claude main m 1",
            "10 claude main n 4",
            "10 claude spare m 2",
        ]
    );
    Ok(())
}

/// Leaves out other providers and models, also where they are not told apart.
pub async fn sums_are_of_the_provider_and_model_asked_for<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    filled(store).await?;
    let day = by(UsagePeriod::Minute);
    let of = |provider: Option<&str>, model: Option<&str>| UsageQuery {
        provider: provider.map(Into::into),
        model: model.map(Into::into),
        ..day.clone()
    };
    assert_eq!(ask(store, of(Some("azure"), None)).await?, ["70 - - - 16", "61 - - - 8"]);
    assert_eq!(ask(store, of(None, Some("n"))).await?, ["61 - - - 4"]);
    assert_eq!(ask(store, of(Some("claude"), Some("m"))).await?, ["70 - - - 32", "60 - - - 3"]);
    assert_eq!(ask(store, of(Some("azure"), Some("n"))).await?, Vec::<String>::new());
    assert_eq!(ask(store, of(Some("Azure"), None)).await?, Vec::<String>::new());
    Ok(())
}

/// Gives not more than asked for: the newest.
pub async fn the_limit_keeps_the_newest_sums<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    filled(store).await?;
    let limited = |limit| UsageQuery {
        limit,
        by: UsageBy { provider: true, ..UsageBy::default() },
        ..by(UsagePeriod::Hour)
    };
    assert_eq!(ask(store, limited(0)).await?, Vec::<String>::new());
    let three = ["70 azure - - 16", "70 claude - - 32", "10 azure - - 8"];
    assert_eq!(ask(store, limited(3)).await?, three);
    assert_eq!(ask(store, limited(u32::MAX)).await?.len(), 4);
    Ok(())
}

/// Takes periods that begin within the range, whole, whether they are rolled up or not.
pub async fn periods_that_begin_within_the_range_count_whole<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    filled(store).await?;
    let within = |period, range| UsageQuery { within: range, ..by(period) };
    // NOW is 22:50, so these hours begin 50 minutes before and ten after it.
    let (first, second) = (NOW.minus(50 * MINUTE), NOW.plus(10 * MINUTE));
    for _ in 0..2 {
        assert_eq!(ask(store, within(UsagePeriod::Hour, first..second)).await?, ["10 - - - 15"]);
        assert_eq!(ask(store, within(UsagePeriod::Hour, NOW..NOW.plus(HOUR))).await?, ["70 - - - 48"]);
        assert_eq!(ask(store, within(UsagePeriod::Hour, NOW..second)).await?, Vec::<String>::new());
        assert_eq!(ask(store, within(UsagePeriod::Day, NOW..all_time().end)).await?, Vec::<String>::new());
        let minutes = within(UsagePeriod::Minute, NOW.plus(MINUTE)..second);
        assert_eq!(ask(store, minutes).await?, ["61 - - - 12"]);
        store.tidy(NOW.plus(3 * HOUR), None).await?;
    }
    Ok(())
}

/// Neither fails nor wraps on nonsense.
pub async fn sums_stay_at_the_limit_of_their_type<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    for (seq, minute) in (1..).zip(0..5) {
        let rows = vec![answered("claude", u64::MAX)];
        store.apply_batches(vec![one_batch(seq, NOW.plus(minute * MINUTE), rows)], NOW).await?;
    }
    for rolled_up in [false, true] {
        let sums = store.usage_by(by(UsagePeriod::Hour)).await?;
        assert!(
            sums[0].tokens.input >= crate::ledger::CELL_MAX && sums[0].attempts.ok == 5,
            "{rolled_up}: {sums:?}"
        );
        store.tidy(NOW.plus(3 * HOUR), None).await?;
    }
    Ok(())
}
