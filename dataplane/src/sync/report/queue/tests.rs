use super::*;
use cliproxy_domain::{AttemptCounts, LedgerKey, TokenUsage};
use cliproxy_host::{Clock, Entropy, SystemClock};

const SECOND: Duration = Duration::from_secs(1);

fn rows(ok: u64) -> Vec<LedgerRow> {
    let key = LedgerKey { provider: "p".into(), credential: "c".into(), model: "m".into() };
    let attempts = AttemptCounts { ok, ..AttemptCounts::default() };
    vec![LedgerRow { key: key.into(), attempts, tokens: TokenUsage::default(), cost_nanos: 3 * ok }]
}

fn queue() -> Queue {
    Queue::new(Incarnation(3), WallTime(0))
}

fn now() -> Instant {
    SystemClock.now()
}

/// Counts one call in each of so many seconds, of which the first is `from`.
fn count(queue: &mut Queue, from: i64, seconds: i64) {
    for second in from..from + seconds {
        queue.add(&rows(1), SECOND, WallTime((second + 1) * 1_000));
        queue.freeze(now());
    }
}

fn calls(batch: &Batch) -> u64 {
    batch.rows.iter().map(|row| row.attempts.ok).sum()
}

/// Gives what is sent after a number: numbers, each with how many calls it counts.
fn sent_after(queue: &Queue, mut sent: u64) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    while let Some(batch) = queue.after(Seq(sent)) {
        sent = batch.seq.0;
        all.push((sent, calls(&batch)));
    }
    all
}

fn unacked(queue: &Queue) -> Vec<u64> {
    sent_after(queue, 0).into_iter().map(|(seq, _)| seq).collect()
}

#[test]
fn empty_windows_make_no_batches() {
    let mut queue = queue();
    queue.add(&[], SECOND, WallTime(1_000));
    queue.freeze(now());
    assert!(queue.is_settled());
    count(&mut queue, 1, 1);
    let batch = queue.after(Seq(0)).unwrap();
    assert_eq!((batch.seq, batch.window_start, batch.window), (Seq(1), WallTime(1_000), SECOND));
}

#[test]
fn windows_of_a_long_outage_merge_and_stay_near_their_time_and_nothing_is_lost() {
    let mut queue = queue();
    count(&mut queue, 0, 3_600);
    assert_eq!((queue.unacked.len(), queue.waiting.len()), (MAX_UNACKED, MAX_WAITING));
    let longest = queue.waiting.iter().map(|window| window.end.since(window.start)).max().unwrap();
    assert!(longest < Duration::from_secs(3_600 / 3), "{longest:?}");
    for (before, after) in queue.waiting.iter().zip(queue.waiting.iter().skip(1)) {
        assert_eq!(before.end, after.start);
    }
    let frozen: u64 = queue.unacked.iter().map(calls).sum();
    queue.committed(Seq(16), now());
    queue.freeze(now());
    let rest: u64 = queue.unacked.iter().map(calls).sum();
    assert_eq!(frozen + rest, 3_600);
    queue.committed(Seq(16 + MAX_WAITING as u64), now());
    assert!(queue.is_settled());
}

#[test]
fn a_batch_that_was_numbered_never_changes() {
    let mut queue = queue();
    count(&mut queue, 0, 1);
    let first = queue.after(Seq(0)).unwrap().into_owned();
    count(&mut queue, 1, 5);
    assert_eq!(*queue.after(Seq(0)).unwrap(), first);
}

#[test]
fn a_clock_that_steps_back_makes_no_window_that_ends_before_it_begins() {
    let mut queue = queue();
    queue.add(&rows(1), SECOND, WallTime(100_000));
    queue.add(&rows(1), SECOND, WallTime(40_000));
    queue.add(&rows(1), SECOND, WallTime(41_000));
    assert!(queue.waiting.iter().all(|window| window.start <= window.end));
    assert_eq!(queue.waiting[2].start, WallTime(40_000));
}

#[test]
fn what_was_acknowledged_is_sent_again_when_the_control_plane_lost_it() {
    let mut queue = queue();
    count(&mut queue, 0, 9);
    assert_eq!(queue.committed(Seq(7), now()), WentBack::default());
    assert_eq!((unacked(&queue), queue.oldest()), (vec![8, 9], Seq(1)));
    assert_eq!(queue.committed(Seq(4), now()), WentBack { again: 3, lost: 0 });
    assert_eq!(unacked(&queue), [5, 6, 7, 8, 9]);
    assert_eq!(calls(&queue.after(Seq(4)).unwrap()), 1);
    // It lost nothing more, and takes it all.
    assert_eq!(queue.committed(Seq(9), now()), WentBack::default());
    assert!(queue.is_settled());
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_two_minutes_is_gone_and_the_numbers_go_on_all_the_same() {
    let mut queue = queue();
    count(&mut queue, 0, 3);
    queue.committed(Seq(3), now());
    tokio::time::advance(KEEP_ACKED).await;
    count(&mut queue, 3, 2);
    queue.committed(Seq(4), now());
    assert_eq!(queue.oldest(), Seq(4));
    assert_eq!(queue.committed(Seq(1), now()), WentBack { again: 1, lost: 2 });
    assert_eq!(sent_after(&queue, 1), [(2, 0), (3, 0), (4, 1), (5, 1)]);
    // It takes one of those that are gone, and loses it again, and one more.
    queue.committed(Seq(2), now());
    assert_eq!((unacked(&queue), queue.oldest()), (vec![3, 4, 5], Seq(3)));
    assert_eq!(queue.committed(Seq(0), now()), WentBack { again: 0, lost: 2 });
    assert_eq!(sent_after(&queue, 0), [(1, 0), (2, 0), (3, 0), (4, 1), (5, 1)]);
    queue.committed(Seq(5), now());
    assert!(queue.is_settled());
    assert_eq!(queue.committed(Seq(2), now()), WentBack { again: 2, lost: 1 });
    assert_eq!(sent_after(&queue, 2), [(3, 0), (4, 1), (5, 1)]);
}

/// A backup of long ago was restored.
#[test]
fn millions_of_numbers_that_are_gone_take_no_room_and_are_sent_one_by_one() {
    let mut queue = queue();
    queue.next = Seq(10_000_000);
    count(&mut queue, 0, 1);
    assert_eq!(queue.committed(Seq(7), now()), WentBack { again: 0, lost: 9_999_992 });
    assert_eq!(queue.unacked.len(), 1);
    assert_eq!((queue.unacked(), queue.oldest()), (9_999_993, Seq(8)));
    let next = |sent: u64| queue.after(Seq(sent)).map(|batch| (batch.seq, calls(&batch)));
    assert_eq!(next(7), Some((Seq(8), 0)));
    assert_eq!(next(9_999_999), Some((Seq(10_000_000), 1)));
    assert_eq!(queue.committed(Seq(10_000_000), now()), WentBack::default());
    assert!(queue.is_settled());
}

#[test]
fn what_is_kept_is_bounded_by_count_and_by_rows() {
    let mut queue = queue();
    for second in 0..2 * MAX_ACKED as i64 {
        count(&mut queue, second, 1);
        queue.committed(Seq(second as u64 + 1), now());
    }
    assert_eq!(queue.acked.len(), MAX_ACKED);
    let wide: Vec<LedgerRow> = (0..MAX_ACKED_ROWS / 2)
        .map(|n| {
            let key = UsageKey { model: n.to_string().as_str().into(), ..rows(1)[0].key.clone() };
            LedgerRow { key, ..rows(1)[0].clone() }
        })
        .collect();
    for seq in 0..4 {
        queue.add(&wide, SECOND, WallTime(10_000_000 + seq));
        queue.freeze(now());
        queue.committed(Seq(u64::MAX - 1), now());
    }
    assert!(queue.acked.iter().map(|(_, batch)| batch.rows.len()).sum::<usize>() <= MAX_ACKED_ROWS);
}

#[tokio::test(start_paused = true)]
async fn who_is_asked_to_slow_down_sends_one_batch_of_everything_in_that_time() {
    let mut queue = queue();
    count(&mut queue, 0, 1);
    queue.slow_down(Duration::from_secs(5));
    for second in 1..=10 {
        tokio::time::advance(SECOND).await;
        count(&mut queue, second, 1);
    }
    assert_eq!(queue.unacked.iter().map(calls).collect::<Vec<_>>(), [1, 5, 5]);
    queue.slow_down(Duration::ZERO);
    count(&mut queue, 11, 1);
    assert_eq!(queue.unacked.len(), 4);
}

/// A store that takes contiguous batches, loses its last ones now and then, and forgets to answer.
#[test]
fn nothing_is_lost_or_counted_twice_whatever_the_store_forgets_within_two_minutes() {
    for seed in 0..200 {
        let entropy = Entropy::seeded(seed);
        let mut queue = queue();
        let (mut stored, mut counted): (Vec<u64>, u64) = (Vec::new(), 0);
        for second in 0..100 {
            count(&mut queue, second, 1);
            counted += 1;
            if entropy.fraction() < 0.1 {
                let lost = (entropy.next_u64() % 8) as usize;
                stored.truncate(stored.len().saturating_sub(lost));
            }
            if entropy.fraction() < 0.6 {
                queue.committed(Seq(stored.len() as u64), now());
            }
            let mut sent = Seq(0);
            while let Some(batch) = queue.after(sent) {
                sent = batch.seq;
                if batch.seq.0 == stored.len() as u64 + 1 {
                    stored.push(calls(&batch));
                }
            }
        }
        for _ in 0..20 {
            queue.committed(Seq(stored.len() as u64), now());
            queue.freeze(now());
            let mut sent = Seq(0);
            while let Some(batch) = queue.after(sent) {
                sent = batch.seq;
                if batch.seq.0 == stored.len() as u64 + 1 {
                    stored.push(calls(&batch));
                }
            }
        }
        queue.committed(Seq(stored.len() as u64), now());
        assert!(queue.is_settled(), "seed {seed}");
        assert_eq!(stored.iter().sum::<u64>(), counted, "seed {seed}");
    }
}
