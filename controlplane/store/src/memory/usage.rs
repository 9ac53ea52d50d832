//! The usage tables of the store in memory.

use crate::{
    Cursor, NodeBatches, UsageOf, UsagePeriod, UsageQuery, UsageSum,
    ledger::{
        self, Books, CellKey, CursorKey, Marks, PeriodKey, Position, Sums,
        rolling::{self, MAX_ROLLED_HOURS},
    },
};
use cliproxy_domain::{Incarnation, LedgerRow, NodeId, ProviderName, UsageKey, WallTime};
use std::{cmp::Reverse, collections::BTreeMap, ops::Range};

/// A cursor, and when it moved for the last time.
#[derive(Clone, Copy)]
struct Kept {
    position: Position,
    moved_at: WallTime,
}

/// Usage by the minute, hour and day, and how far it is reported, rolled up and forgotten.
#[derive(Clone, Default)]
pub(super) struct Usage {
    cursors: BTreeMap<CursorKey, Kept>,
    cells: BTreeMap<CellKey, Sums>,
    hours: BTreeMap<PeriodKey, Sums>,
    days: BTreeMap<PeriodKey, Sums>,
    late: BTreeMap<PeriodKey, Sums>,
    marks: Marks,
}

impl Usage {
    pub(super) fn apply_batches(&mut self, nodes: &[NodeBatches], now: WallTime) -> Vec<Cursor> {
        let of = |input: &NodeBatches| (input.node.clone(), input.incarnation);
        let known = nodes.iter().map(of).filter_map(|key| {
            let kept = self.cursors.get(&key)?;
            Some((key, kept.position))
        });
        let books = Books { cursors: known.collect(), marks: self.marks };
        let settled = ledger::settle(nodes, &books, now);
        for (key, sums) in settled.cells {
            self.cells.entry(key).or_default().add(&sums);
        }
        add_all(&mut self.hours, settled.hours);
        add_all(&mut self.days, settled.days);
        add_all(&mut self.late, settled.late);
        for (key, position) in settled.cursors {
            self.cursors.insert(key, Kept { position, moved_at: now });
        }
        settled.answers
    }

    pub(super) fn usage(&self, minutes: &Range<WallTime>) -> Vec<LedgerRow> {
        let mut totals: BTreeMap<UsageKey, Sums> = BTreeMap::new();
        for (key, sums) in self.cells_within(minutes) {
            totals.entry(key.ledger.clone()).or_default().add_cell(sums);
        }
        let forgotten = minutes.start..minutes.end.min(self.marks.minutes_from);
        for (key, sums) in self.hours.iter().filter(|(key, _)| forgotten.contains(&key.at)) {
            totals.entry(key.ledger.clone()).or_default().add_cell(sums);
        }
        totals.into_iter().map(|(key, sums)| sums.into_row(key)).collect()
    }

    pub(super) fn late_usage(&self, hours: &Range<WallTime>) -> Vec<LedgerRow> {
        let mut totals: BTreeMap<UsageKey, Sums> = BTreeMap::new();
        for (key, sums) in self.late.iter().filter(|(key, _)| hours.contains(&key.at)) {
            totals.entry(key.ledger.clone()).or_default().add_cell(sums);
        }
        totals.into_iter().map(|(key, sums)| sums.into_row(key)).collect()
    }

    pub(super) fn answered_share(&self, minutes: &Range<WallTime>) -> BTreeMap<ProviderName, f64> {
        let mut answered: BTreeMap<(ProviderName, WallTime), bool> = BTreeMap::new();
        for (key, sums) in self.cells_within(minutes) {
            let attempts = sums.attempts();
            if attempts.were_heard() {
                let minute = answered.entry((key.ledger.provider.clone(), key.minute)).or_default();
                *minute |= attempts.were_answered();
            }
        }
        let mut counts: BTreeMap<ProviderName, (u32, u32)> = BTreeMap::new();
        for ((provider, _), answered) in answered {
            let (good, all) = counts.entry(provider).or_default();
            *good += u32::from(answered);
            *all += 1;
        }
        let share = |(good, all): (u32, u32)| f64::from(good) / f64::from(all);
        counts.into_iter().map(|(provider, count)| (provider, share(count))).collect()
    }

    pub(super) fn usage_by(&self, query: &UsageQuery) -> Vec<UsageSum> {
        let mut sums: BTreeMap<_, Sums> = BTreeMap::new();
        for (at, key, counters) in self.rows_of(query.period) {
            let at = query.period.start_of(at);
            let wanted = query.within.contains(&at)
                && query.provider.as_ref().is_none_or(|provider| *provider == key.provider)
                && query.model.as_ref().is_none_or(|model| *model == key.model)
                && query.client.as_ref().is_none_or(|client| key.client.as_ref() == Some(client));
            if wanted {
                sums.entry((Reverse(at), UsageOf::told_apart(key, query.by))).or_default().add_cell(counters);
            }
        }
        let sum = |((at, of), sums): ((Reverse<WallTime>, UsageOf), Sums)| UsageSum {
            at: at.0,
            of,
            attempts: sums.attempts(),
            tokens: sums.tokens(),
            cost_nanos: sums.cost_nanos(),
        };
        sums.into_iter().take(usize::try_from(query.limit).unwrap_or(usize::MAX)).map(sum).collect()
    }

    /// Gives what a period is summed from: its own table, and the minutes that are not rolled up into it yet.
    fn rows_of(&self, period: UsagePeriod) -> impl Iterator<Item = (WallTime, &UsageKey, &Sums)> {
        let (table, minutes_from) = match period {
            UsagePeriod::Minute => (None, self.marks.minutes_from),
            UsagePeriod::Hour => (Some(&self.hours), self.marks.rolled_to),
            UsagePeriod::Day => (Some(&self.days), self.marks.rolled_to),
        };
        let rolled = table.into_iter().flatten().map(|(key, sums)| (key.at, &key.ledger, sums));
        let minutes = self.cells.iter().filter(move |(key, _)| key.minute >= minutes_from);
        rolled.chain(minutes.map(|(key, sums)| (key.minute, &key.ledger, sums)))
    }

    fn cells_within(&self, minutes: &Range<WallTime>) -> impl Iterator<Item = (&CellKey, &Sums)> {
        self.cells.iter().filter(|(key, _)| minutes.contains(&key.minute))
    }

    /// Rolls up and forgets. `is_heard` tells whether that incarnation is the one of a node that was heard of since.
    pub(super) fn tidy(&mut self, now: WallTime, is_heard: impl Fn(&NodeId, Incarnation, WallTime) -> bool) {
        self.roll_up(rolling::roll_to(now, &self.marks));
        self.marks.minutes_from = rolling::minutes_from(now, &self.marks);
        let (minutes_from, hours_from) = (self.marks.minutes_from, rolling::hours_from(now));
        self.cells.retain(|key, _| key.minute >= minutes_from);
        self.hours.retain(|key, _| key.at >= hours_from);
        self.late.retain(|key, _| key.at >= hours_from);

        let since = rolling::heard_since(now);
        let purged_to = &mut self.marks.purged_to;
        self.cursors.retain(|(node, incarnation), kept| {
            let stays = kept.moved_at >= since || is_heard(node, *incarnation, since);
            if !stays {
                *purged_to = (*purged_to).max(Some(kept.moved_at));
            }
            stays
        });
    }

    fn roll_up(&mut self, to: WallTime) {
        for _ in 0..MAX_ROLLED_HOURS {
            let rest =
                self.cells.keys().map(|key| key.minute).filter(|minute| *minute >= self.marks.rolled_to);
            let Some(next) = rest.min().filter(|minute| *minute < to) else {
                self.marks.rolled_to = to;
                return;
            };
            let hour = UsagePeriod::Hour.start_of(next);
            let end = hour.plus(UsagePeriod::Hour.length());
            for row in self.usage(&(hour..end)) {
                let key =
                    |period: UsagePeriod| PeriodKey { at: period.start_of(hour), ledger: row.key.clone() };
                self.hours.entry(key(UsagePeriod::Hour)).or_default().add(&Sums::of(&row));
                self.days.entry(key(UsagePeriod::Day)).or_default().add(&Sums::of(&row));
            }
            self.marks.rolled_to = end;
        }
    }
}

fn add_all(table: &mut BTreeMap<PeriodKey, Sums>, more: BTreeMap<PeriodKey, Sums>) {
    for (key, sums) in more {
        table.entry(key).or_default().add(&sums);
    }
}
