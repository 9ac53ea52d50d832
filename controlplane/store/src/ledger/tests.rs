mod rolling;

use super::*;
use crate::{MemoryStore, Store};
use cliproxy_domain::{AttemptCounts, HistoryId, Incarnation, LedgerKey, LedgerRow, Seq, TokenUsage};
use proptest::{collection::vec, prelude::*};

const NOW: WallTime = WallTime(1_771_541_400_000);

/// How many batches each incarnation has to report.
const BATCHES: u64 = 12;

/// Batch `seq` of an incarnation has one call with `2^seq` tokens under a model of its own, so that the sum
/// tells which batches it is made of.
fn batch(incarnation: u64, seq: u64) -> Batch {
    Batch {
        incarnation: Incarnation(incarnation),
        seq: Seq(seq),
        window_start: NOW,
        window: Duration::from_secs(1),
        rows: vec![LedgerRow {
            key: LedgerKey {
                provider: "claude".into(),
                credential: "main".into(),
                model: format!("model {incarnation}").into(),
            }
            .into(),
            attempts: AttemptCounts { ok: 1, ..AttemptCounts::default() },
            tokens: TokenUsage { input: 1 << seq, ..TokenUsage::default() },
            cost_nanos: 0,
        }],
    }
}

fn report(incarnation: u64, seqs: &[u64]) -> NodeBatches {
    NodeBatches {
        node: "a".into(),
        incarnation: Incarnation(incarnation),
        oldest_unacked: Seq(1),
        batches: seqs.iter().map(|&seq| batch(incarnation, seq)).collect(),
    }
}

/// Gives the tokens of batches 1 to `last`.
fn tokens_up_to(last: u64) -> u64 {
    (1..=last).map(|seq| 1_u64 << seq).sum()
}

/// What the cursor must be after a delivery, reckoned the slow way.
fn model(last: u64, seqs: &[u64]) -> (u64, Option<Seq>) {
    let mut last = last;
    while seqs.contains(&(last + 1)) {
        last += 1;
    }
    (last, seqs.iter().any(|&seq| seq > last).then(|| Seq(last + 1)))
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #[test]
    fn cursors_follow_the_contiguous_run_and_usage_is_exactly_what_they_cover(
        deliveries in vec((1..=2_u64, vec(1..=BATCHES, 0..8)), 0..24),
    ) {
        run(async {
            let store = MemoryStore::new(HistoryId("h".into()));
            let mut cursors = BTreeMap::from([(1, 0), (2, 0)]);
            let everything = [(1, (1..=BATCHES).rev().collect()), (2, (1..=BATCHES).collect())];
            for (incarnation, seqs) in deliveries.into_iter().chain(everything) {
                let (last, need_from) = model(cursors[&incarnation], &seqs);
                let answer = store.apply_batches(vec![report(incarnation, &seqs)], NOW).await.unwrap();
                prop_assert_eq!((answer[0].last, answer[0].need_from), (Seq(last), need_from));
                cursors.insert(incarnation, last);

                let rows = store.usage(NOW..NOW.plus(Duration::from_secs(60))).await.unwrap();
                let counted: Vec<_> = rows.iter().map(|row| (row.attempts.ok, row.tokens.input)).collect();
                let covered: Vec<_> = cursors.values().filter(|&&last| last > 0)
                    .map(|&last| (last, tokens_up_to(last))).collect();
                prop_assert_eq!(counted, covered);
            }
            prop_assert_eq!(cursors, BTreeMap::from([(1, BATCHES), (2, BATCHES)]));
            Ok(())
        })?;
    }

    #[test]
    fn a_group_of_inputs_counts_as_its_inputs_one_by_one(
        inputs in vec((1..=2_u64, vec(1..=BATCHES, 0..8)), 0..12),
    ) {
        let inputs: Vec<_> = inputs.iter().map(|(incarnation, seqs)| report(*incarnation, seqs)).collect();
        let together = settle(&inputs, &Books::default(), NOW);

        let mut books = Books::default();
        let mut cells: BTreeMap<CellKey, Sums> = BTreeMap::new();
        let mut answers = Vec::new();
        for input in inputs {
            let one = settle(&[input], &books, NOW);
            books.cursors.extend(one.cursors);
            answers.extend(one.answers);
            for (key, sums) in one.cells {
                cells.entry(key).or_default().add(&sums);
            }
        }
        prop_assert_eq!(together.answers, answers);
        prop_assert_eq!(together.cells, cells);
        prop_assert_eq!(together.cursors, books.cursors);
    }
}

#[test]
fn a_minute_before_1970_begins_before_its_windows() {
    assert_eq!(minute_of(WallTime(-1), WallTime(0)), WallTime(-60_000));
    assert_eq!(minute_of(WallTime(59_999), WallTime(0)), WallTime(0));
}

#[test]
fn shards_are_those_of_every_other_version() {
    let shards: Vec<_> = ["a", "b", "node-1", "node-2"].map(|node| shard_of(&node.into())).into();
    assert_eq!(shards, [3, 3, 1, 2]);
}
