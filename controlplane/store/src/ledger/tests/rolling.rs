//! Minutes, hours and days agree, whatever comes when.

use super::{NOW, run};
use crate::{MemoryStore, NodeBatches, Store, UsageBy, UsagePeriod, UsageQuery, ledger::minute_of};
use cliproxy_domain::{
    AttemptCounts, Batch, HistoryId, Incarnation, LedgerKey, LedgerRow, Seq, TokenUsage, WallTime,
};
use proptest::{collection::vec, prelude::*};
use std::{collections::BTreeMap, time::Duration};

/// What happens to a store, each at any time: clocks of replicas differ and are set back.
#[derive(Clone, Debug)]
enum Event {
    /// A window of that many minutes after [`NOW`] is committed that many minutes later or earlier.
    Report { minute: u32, late_by: i64 },
    /// Somebody tidies up.
    Tidy { minute: u32 },
}

/// So far apart that minutes are forgotten and cursors are not, in minutes.
const SPAN: u32 = 12 * 24 * 60;

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..SPAN, -20..20_i64).prop_map(|(minute, late_by)| Event::Report { minute, late_by }),
        // Close together, so that many meet in one hour.
        (0..180_u32, -20..20_i64).prop_map(|(minute, late_by)| Event::Report { minute, late_by }),
        (0..SPAN).prop_map(|minute| Event::Tidy { minute }),
    ]
}

fn at(minute: u32) -> WallTime {
    NOW.plus(Duration::from_secs(60) * minute)
}

/// Batch `seq` of a node, with as many tokens as its number.
fn report(seq: u64, window_start: WallTime) -> NodeBatches {
    let row = LedgerRow {
        key: LedgerKey { provider: "claude".into(), credential: "main".into(), model: "m".into() }.into(),
        attempts: AttemptCounts { ok: 1, ..AttemptCounts::default() },
        tokens: TokenUsage { input: seq, ..TokenUsage::default() },
        cost_nanos: 0,
    };
    let batch = Batch {
        incarnation: Incarnation(1),
        seq: Seq(seq),
        window_start,
        window: Duration::from_secs(1),
        rows: vec![row],
    };
    NodeBatches {
        node: "a".into(),
        incarnation: Incarnation(1),
        oldest_unacked: Seq(1),
        batches: vec![batch],
    }
}

async fn sums(store: &MemoryStore, period: UsagePeriod) -> BTreeMap<WallTime, u64> {
    let query = UsageQuery {
        within: WallTime(i64::MIN)..WallTime(i64::MAX),
        period,
        by: UsageBy::default(),
        provider: None,
        model: None,
        limit: u32::MAX,
        client: None,
    };
    let sums = store.usage_by(query).await.unwrap();
    sums.into_iter().map(|sum| (sum.at, sum.tokens.input)).collect()
}

proptest! {
    #[test]
    fn hours_and_days_are_the_sums_of_what_was_counted_whatever_comes_when(events in vec(events(), 0..40)) {
        run(async {
            let store = MemoryStore::new(HistoryId("h".into()));
            let mut expected: BTreeMap<&str, BTreeMap<WallTime, u64>> = BTreeMap::new();
            let mut seq = 0;
            for event in events {
                match event {
                    Event::Report { minute, late_by } => {
                        seq += 1;
                        let window = at(minute);
                        let now = WallTime(window.0 + late_by * 60_000);
                        store.apply_batches(vec![report(seq, window)], now).await.unwrap();
                        let counted_at = minute_of(window, now);
                        for period in [UsagePeriod::Hour, UsagePeriod::Day] {
                            let sums = expected.entry(period.as_str()).or_default();
                            *sums.entry(period.start_of(counted_at)).or_default() += seq;
                        }
                    }
                    Event::Tidy { minute } => store.tidy(at(minute), None).await.unwrap(),
                }
                for period in [UsagePeriod::Hour, UsagePeriod::Day] {
                    let expected = expected.get(period.as_str()).cloned().unwrap_or_default();
                    prop_assert_eq!(sums(&store, period).await, expected);
                }
                let all = store.usage(WallTime(i64::MIN)..WallTime(i64::MAX)).await.unwrap();
                prop_assert_eq!(all.iter().map(|row| row.tokens.input).sum::<u64>(), (1..=seq).sum::<u64>());
            }
            Ok(())
        })?;
    }
}
