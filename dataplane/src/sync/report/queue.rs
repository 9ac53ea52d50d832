//! Windows on their way to be acknowledged: what waits, what is numbered, and what may be asked for again.

use cliproxy_domain::{Batch, Incarnation, LedgerRow, Seq, UsageKey, WallTime};
use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// Batches that wait for their acknowledgement at most. While as many wait, windows merge: overload and outages
/// lower the number of batches, and lose nothing.
pub(super) const MAX_UNACKED: usize = 16;
/// Windows that wait for a number at most. Of more the shortest neighbours become one, so that what was counted long ago
/// stays near its minute and the memory of an outage does not grow with its length.
pub(super) const MAX_WAITING: usize = 8;
/// How long a batch is kept after it was acknowledged: a store that took over may have lost what was committed so lately.
pub(super) const KEEP_ACKED: Duration = Duration::from_secs(120);
/// How many of them are kept at most, and how many rows all of them have.
const MAX_ACKED: usize = 256;
const MAX_ACKED_ROWS: usize = 20_000;

type Rows = BTreeMap<UsageKey, LedgerRow>;

/// The windows of one incarnation.
pub(super) struct Queue {
    incarnation: Incarnation,
    /// Acknowledged, oldest first, with when.
    acked: VecDeque<(Instant, Batch)>,
    /// Numbers before the unacknowledged ones of which nothing is left: from the first to before the second. They are
    /// made when they are sent, as there may be millions of them.
    gone: Option<(Seq, Seq)>,
    /// Frozen batches, oldest first: a re-send is the same batch.
    unacked: VecDeque<Batch>,
    next: Seq,
    /// Windows that have no number yet, oldest first.
    waiting: VecDeque<Window>,
    /// When the last window ended.
    until: WallTime,
    /// While it is not zero: no more than one batch in this time.
    slow_down: Duration,
    frozen: Option<Instant>,
}

struct Window {
    start: WallTime,
    end: WallTime,
    rows: Rows,
}

/// What going back to an earlier number came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WentBack {
    /// Batches that will be sent again.
    pub(super) again: u64,
    /// Batches that were gone: empty ones stand in for them, as numbers have no gaps.
    pub(super) lost: u64,
}

impl Queue {
    pub(super) fn new(incarnation: Incarnation, now: WallTime) -> Self {
        Self {
            incarnation,
            acked: VecDeque::new(),
            gone: None,
            unacked: VecDeque::new(),
            next: Seq(1),
            waiting: VecDeque::new(),
            until: now,
            slow_down: Duration::ZERO,
            frozen: None,
        }
    }

    /// Adds the rows of a window that ended `now` and was as long as `window` unless the one before it ended later.
    pub(super) fn add(&mut self, rows: &[LedgerRow], window: Duration, now: WallTime) {
        let start = self.until.max(now.minus(window)).min(now);
        self.until = now;
        if rows.is_empty() {
            return;
        }
        let mut added = Rows::new();
        for row in rows {
            add_to(&mut added, row.clone());
        }
        self.waiting.push_back(Window { start, end: now, rows: added });
        if self.waiting.len() > MAX_WAITING {
            self.merge_shortest();
        }
    }

    fn merge_shortest(&mut self) {
        let length = |at: usize| self.waiting[at + 1].end.since(self.waiting[at].start);
        let shortest = (0..self.waiting.len().saturating_sub(1)).min_by_key(|at| length(*at));
        if let Some(at) = shortest
            && let Some(next) = self.waiting.remove(at + 1)
        {
            self.waiting[at].absorb(next);
        }
    }

    /// Numbers what waits, as far as there is room and the control plane keeps up.
    pub(super) fn freeze(&mut self, now: Instant) {
        let slowed = !self.slow_down.is_zero();
        let too_soon = self.frozen.is_some_and(|at| now.saturating_duration_since(at) < self.slow_down);
        if slowed && too_soon {
            return;
        }
        while slowed && self.waiting.len() > 1 {
            self.merge_shortest();
        }
        while self.unacked.len() < MAX_UNACKED
            && let Some(window) = self.waiting.pop_front()
        {
            let seq = self.next;
            self.next = seq.next();
            self.frozen = Some(now);
            self.unacked.push_back(window.batch(self.incarnation, seq));
        }
    }

    /// Takes the control plane's wish to be sent less, or to be so no longer.
    pub(super) fn slow_down(&mut self, time: Duration) {
        self.slow_down = time;
    }

    /// Gives the lowest number that can still be sent.
    pub(super) fn oldest(&self) -> Seq {
        let kept = self.acked.front().map(|(_, batch)| batch.seq);
        kept.unwrap_or_else(|| self.first_unacked())
    }

    /// Gives the lowest number that is not acknowledged.
    fn first_unacked(&self) -> Seq {
        let gone = self.gone.map(|(from, _)| from);
        gone.or(self.unacked.front().map(|batch| batch.seq)).unwrap_or(self.next)
    }

    /// Gives the first batch after a number that is not acknowledged.
    pub(super) fn after(&self, sent: Seq) -> Option<Cow<'_, Batch>> {
        if let Some((from, to)) = self.gone
            && sent.next() < to
        {
            return Some(Cow::Owned(self.nothing(sent.next().max(from))));
        }
        self.unacked.iter().find(|batch| batch.seq > sent).map(Cow::Borrowed)
    }

    /// Counts the batches that are not acknowledged.
    pub(super) fn unacked(&self) -> u64 {
        let gone = self.gone.map_or(0, |(from, to)| to.0 - from.0);
        gone + self.unacked.len() as u64
    }

    /// Tells whether everything that was counted is acknowledged.
    pub(super) fn is_settled(&self) -> bool {
        self.gone.is_none() && self.unacked.is_empty() && self.waiting.is_empty()
    }

    /// Takes what the control plane says is committed. When that is less than it once said, what it lost is put back, to
    /// be sent again.
    pub(super) fn committed(&mut self, up_to: Seq, now: Instant) -> WentBack {
        let first_unacked = self.first_unacked();
        if up_to.next() < first_unacked {
            return self.go_back(up_to, first_unacked);
        }
        self.gone = self.gone.map(|(from, to)| (from.max(up_to.next()), to)).filter(|(from, to)| from < to);
        while let Some(batch) = self.unacked.pop_front_if(|batch| batch.seq <= up_to) {
            self.acked.push_back((now, batch));
        }
        self.forget(now);
        WentBack::default()
    }

    fn go_back(&mut self, up_to: Seq, first_unacked: Seq) -> WentBack {
        let mut went = WentBack::default();
        while let Some((_, batch)) = self.acked.pop_back_if(|(_, batch)| batch.seq > up_to) {
            self.unacked.push_front(batch);
            went.again += 1;
        }
        // What was acknowledged follows one another up to the first that is not: either some of it is as old as what was
        // lost, or all of it was put back and what came before is gone.
        let first = if went.again > 0 { self.unacked.front().map(|batch| batch.seq) } else { None };
        let first = first.unwrap_or(first_unacked);
        if up_to.next() < first {
            went.lost = first.0 - up_to.next().0;
            let to = self.gone.filter(|_| went.again == 0).map_or(first, |(_, to)| to);
            self.gone = Some((up_to.next(), to));
        }
        went
    }

    /// Makes what stands in for a batch that is gone.
    fn nothing(&self, seq: Seq) -> Batch {
        let (incarnation, window) = (self.incarnation, Duration::ZERO);
        let at = self.unacked.front().map_or(self.until, |batch| batch.window_start);
        Batch { incarnation, seq, window_start: at, window, rows: Vec::new() }
    }

    fn forget(&mut self, now: Instant) {
        let mut rows: usize = self.acked.iter().map(|(_, batch)| batch.rows.len()).sum();
        while let Some((_, batch)) = self
            .acked
            .pop_front_if(|(at, _)| now.saturating_duration_since(*at) >= KEEP_ACKED || rows > MAX_ACKED_ROWS)
        {
            rows -= batch.rows.len();
        }
        self.acked.drain(..self.acked.len().saturating_sub(MAX_ACKED));
    }
}

impl Window {
    fn absorb(&mut self, next: Window) {
        self.end = next.end;
        next.rows.into_values().for_each(|row| add_to(&mut self.rows, row));
    }

    fn batch(self, incarnation: Incarnation, seq: Seq) -> Batch {
        Batch {
            incarnation,
            seq,
            window_start: self.start,
            window: self.end.since(self.start),
            rows: self.rows.into_values().collect(),
        }
    }
}

fn add_to(rows: &mut Rows, row: LedgerRow) {
    match rows.get_mut(&row.key) {
        Some(known) => known.add(&row),
        None => {
            rows.insert(row.key.clone(), row);
        }
    }
}

#[cfg(test)]
mod tests;
