//! Counts by the second, without locks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A count takes so many bits of a bucket; the rest names its second. The names come again after half a year, and
/// a bucket is emptied within minutes.
const COUNT_BITS: u32 = 40;
const MOST: u64 = (1 << COUNT_BITS) - 1;
const NAMES: u64 = (1 << (64 - COUNT_BITS)) - 1;

/// What was counted in each of the last `N` seconds, counted from whenever. A bucket is one atomic, so that whatever is
/// counted is taken out exactly once.
#[derive(Debug)]
pub(super) struct Seconds<const N: usize> {
    buckets: [AtomicU64; N],
}

impl<const N: usize> Default for Seconds<N> {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl<const N: usize> Seconds<N> {
    /// Counts `amount` in a second. Gives what was still there of a second long past, or `None` when the bucket cannot
    /// hold so much: then nothing is counted.
    pub(super) fn add(&self, second: u64, amount: u64) -> Option<u64> {
        let bucket = self.bucket(second);
        let mut seen = bucket.load(Relaxed);
        loop {
            // Who comes so late that the bucket is of a later second already counts in that one.
            let same = count(seen) > 0 && age(seen, second) == 0 || is_later(seen, second);
            let (name, before) = if same { (name(seen), count(seen)) } else { (second & NAMES, 0) };
            let sum = before.checked_add(amount).filter(|sum| *sum <= MOST)?;
            let past = if same { 0 } else { count(seen) };
            match bucket.compare_exchange_weak(seen, pack(name, sum), Relaxed, Relaxed) {
                Ok(_) => return Some(past),
                Err(now) => seen = now,
            }
        }
    }

    /// Counts `amount` in a second unless its bucket is full: what is noted is a guess at what comes.
    pub(super) fn note(&self, second: u64, amount: u64) {
        let _full = self.add(second, amount.min(MOST));
    }

    /// Takes up to `amount` out of a second again. Gives how much it was: nothing when that second is past.
    pub(super) fn take_out(&self, second: u64, amount: u64) -> u64 {
        let mut out = 0;
        let _past = self.bucket(second).fetch_update(Relaxed, Relaxed, |seen| {
            out = if age(seen, second) == 0 { amount.min(count(seen)) } else { 0 };
            (out > 0).then(|| pack(name(seen), count(seen) - out))
        });
        out
    }

    /// Empties what is `N` seconds old and older at `now`. Gives how much that was.
    pub(super) fn expire(&self, now: u64) -> u64 {
        let mut past = 0;
        for bucket in &self.buckets {
            let seen = bucket.load(Relaxed);
            let old = count(seen) > 0 && !is_later(seen, now) && age(seen, now) >= N as u64;
            if old && bucket.compare_exchange(seen, 0, Relaxed, Relaxed).is_ok() {
                past += count(seen);
            }
        }
        past
    }

    /// Gives the sum of the last `seconds` at `now`, the running one included.
    pub(super) fn sum(&self, now: u64, seconds: u64) -> u64 {
        let lately = |seen: &u64| age(*seen, now) < seconds;
        self.buckets.iter().map(|bucket| bucket.load(Relaxed)).filter(lately).map(count).sum()
    }

    /// Gives how many seconds after `now` so much will have come out; none when that is more than there is.
    pub(super) fn frees(&self, now: u64, amount: u64) -> Option<u64> {
        let mut freed = 0;
        for back in (0..N as u64).rev() {
            let Some(second) = now.checked_sub(back) else { continue };
            let seen = self.bucket(second).load(Relaxed);
            if age(seen, second) == 0 {
                freed += count(seen);
            }
            if freed >= amount {
                return Some(N as u64 - back);
            }
        }
        None
    }

    fn bucket(&self, second: u64) -> &AtomicU64 {
        &self.buckets[(second % N as u64) as usize]
    }
}

fn pack(name: u64, count: u64) -> u64 {
    name << COUNT_BITS | count
}

fn count(bucket: u64) -> u64 {
    bucket & MOST
}

fn name(bucket: u64) -> u64 {
    bucket >> COUNT_BITS
}

fn age(bucket: u64, now: u64) -> u64 {
    now.wrapping_sub(name(bucket)) & NAMES
}

/// Tells whether a bucket is of a second after `now`.
fn is_later(bucket: u64, now: u64) -> bool {
    count(bucket) > 0 && age(bucket, now) > NAMES / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_comes_out_when_it_is_old_enough() {
        let seconds = Seconds::<61>::default();
        assert_eq!(seconds.add(10, 5), Some(0));
        assert_eq!(seconds.add(10, 2), Some(0));
        assert_eq!(seconds.expire(70), 0);
        assert_eq!(seconds.frees(70, 7), Some(1));
        assert_eq!(seconds.expire(71), 7);
        assert_eq!(seconds.expire(71), 0);
    }

    #[test]
    fn a_bucket_that_nobody_emptied_is_emptied_by_who_needs_it() {
        let seconds = Seconds::<61>::default();
        seconds.add(10, 5);
        assert_eq!(seconds.add(71, 1), Some(5));
        assert_eq!(seconds.add(10, 1), Some(0), "who comes late counts in the later second");
        assert_eq!(seconds.sum(71, 1), 2);
    }

    #[test]
    fn no_more_is_taken_out_than_is_there_and_nothing_of_another_second() {
        let seconds = Seconds::<61>::default();
        seconds.add(10, 5);
        assert_eq!(seconds.take_out(9, 5), 0);
        assert_eq!(seconds.take_out(10, 3), 3);
        assert_eq!(seconds.take_out(10, 3), 2);
    }

    #[test]
    fn names_of_seconds_that_come_again_do_no_harm() {
        let seconds = Seconds::<61>::default();
        let around = NAMES - 3;
        seconds.add(around, 5);
        seconds.add(around + 8, 2);
        assert_eq!(seconds.sum(around + 8, 61), 7);
        assert_eq!(seconds.expire(around + 61), 5);
        assert_eq!(seconds.expire(around + 69), 2);
    }

    #[test]
    fn a_bucket_that_cannot_hold_more_says_so() {
        let seconds = Seconds::<61>::default();
        assert_eq!(seconds.add(1, MOST), Some(0));
        assert_eq!(seconds.add(1, 1), None);
        assert_eq!(seconds.add(2, u64::MAX), None);
        seconds.note(3, u64::MAX);
    }

    #[test]
    fn it_is_told_when_enough_comes_free() {
        let seconds = Seconds::<61>::default();
        seconds.add(0, 5);
        seconds.add(30, 5);
        assert_eq!(seconds.frees(40, 5), Some(21));
        assert_eq!(seconds.frees(40, 6), Some(51));
        assert_eq!(seconds.frees(40, 11), None);
    }
}
