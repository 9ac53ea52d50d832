//! What a node has of a budget in one period: a balance that requests reserve from without a lock.

use super::journal::{Place, Slot};
use cliproxy_domain::{BudgetClaim, BudgetId, Incarnation, WallTime};
use parking_lot::Mutex;
use std::sync::atomic::{
    AtomicI64, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

/// The balance of a pocket whose period is over: whatever is settled later, nothing can be reserved any more.
const OVER: i64 = i64::MIN / 4;
/// No amount is so large that sums of it leave the balance's type.
const MOST: u64 = 1 << 60;
/// A journal's ceiling is raised by this part of the balance.
const CHUNK: u64 = 16;
/// It is lowered at once where it is above what may be spent by more than two such parts and this part of all that was
/// given: so much, at the most, does each process that is killed strand.
const STRANDED: u64 = 1_024;

/// What a node has of a budget in one period.
///
/// `balance = granted - returned - spent - reserved` at rest. Whoever changes two of them changes first the one that
/// makes the node look poorer.
#[derive(Debug)]
pub(super) struct Pocket {
    /// When the period began, by the control plane's word.
    pub(super) period: WallTime,
    /// When it ends, in milliseconds since the purse was made.
    ends: AtomicU64,
    granted: AtomicU64,
    balance: AtomicI64,
    spent: AtomicU64,
    returned: AtomicU64,
    /// What is spent and reserved: what a process that is killed may have spent.
    committed: AtomicU64,
    /// What the journal says that `committed` does not pass.
    ceiling: AtomicU64,
    slot: Option<Mutex<Slot>>,
    /// Reservations that are not settled.
    open: AtomicU64,
}

/// A pocket's sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) granted: u64,
    pub(super) spent: u64,
    pub(super) returned: u64,
    pub(super) balance: i64,
    pub(super) open: u64,
}

impl Pocket {
    /// Makes one that ends at once, empty or with the sums of before. Where nothing is written nobody learns what a process that was killed had not spent.
    pub(super) fn new(period: WallTime, before: Sums, place: Place) -> Self {
        let (slot, ceiling) = match place {
            Place::Written(slot) => (Some(slot), 0),
            Place::None => (None, u64::MAX),
            Place::Stuck => (None, 0),
        };
        Self {
            period,
            ends: AtomicU64::new(0),
            granted: AtomicU64::new(before.granted),
            balance: AtomicI64::new(
                signed(before.granted)
                    .saturating_sub(signed(before.spent))
                    .saturating_sub(signed(before.returned)),
            ),
            spent: AtomicU64::new(before.spent),
            returned: AtomicU64::new(before.returned),
            committed: AtomicU64::new(before.spent),
            ceiling: AtomicU64::new(ceiling),
            slot: slot.map(Mutex::new),
            open: AtomicU64::new(0),
        }
    }

    /// Tells when the period ends.
    pub(super) fn ends(&self) -> u64 {
        self.ends.load(Relaxed)
    }

    /// Takes a newer word on when the period ends.
    pub(super) fn set_end(&self, ends: u64) {
        self.ends.store(ends, Relaxed);
    }

    /// Takes the word that `granted` was given in all. An older word changes nothing.
    pub(super) fn fill(&self, granted: u64) {
        let granted = granted.min(MOST);
        let before = self.granted.fetch_max(granted, SeqCst);
        self.balance.fetch_add(signed(granted.saturating_sub(before)), SeqCst);
    }

    /// Reserves `amount` if the balance has it, before the period's end.
    pub(super) fn reserve(&self, amount: u64, now: u64) -> bool {
        if now >= self.ends() || amount > MOST {
            return false;
        }
        // Before the balance, so that what is over does not look settled meanwhile.
        self.open.fetch_add(1, SeqCst);
        if self.take(amount) {
            return true;
        }
        self.open.fetch_sub(1, SeqCst);
        false
    }

    /// Opens a reservation of nothing whatever the balance, before the period's end: what it takes is overdrawn.
    pub(super) fn open_unlimited(&self, now: u64) -> bool {
        if now >= self.ends() {
            return false;
        }
        self.open.fetch_add(1, SeqCst);
        // Seen here or, by whoever ends it, as open.
        if self.balance.load(SeqCst) > OVER / 2 {
            return true;
        }
        self.open.fetch_sub(1, SeqCst);
        false
    }

    /// The same for a pocket without a period.
    pub(super) fn open_adrift(&self) {
        self.open.fetch_add(1, SeqCst);
    }

    /// Takes out what was spent, as it is booked elsewhere.
    pub(super) fn take_spent(&self) -> u64 {
        let spent = self.spent.swap(0, SeqCst);
        self.committed.fetch_sub(spent, SeqCst);
        self.balance.fetch_add(signed(spent), SeqCst);
        spent
    }

    /// Counts what was spent without a reservation, whatever the balance.
    pub(super) fn spend(&self, amount: u64) {
        self.overdraw(amount);
        self.spent.fetch_add(amount, SeqCst);
    }

    /// Reserves `amount` more for a reservation that is open.
    pub(super) fn top_up(&self, amount: u64, now: u64) -> bool {
        now < self.ends() && amount <= MOST && self.take(amount)
    }

    /// Counts what an answer takes beyond its reservation, whatever the balance.
    pub(super) fn overdraw(&self, amount: u64) {
        let amount = amount.min(MOST);
        self.balance.fetch_sub(signed(amount), SeqCst);
        // What cannot be written is told when it is settled: only a process killed before that would hide it.
        self.commit(amount);
    }

    /// Ends a reservation of `reserved` of which `spent` was spent; it is no more than that. Tells whether it was the
    /// last of a period that is over.
    pub(super) fn settle(&self, reserved: u64, spent: u64) -> bool {
        let rest = reserved.saturating_sub(spent);
        self.spent.fetch_add(spent, SeqCst);
        let committed = self.committed.fetch_sub(rest, SeqCst).saturating_sub(rest);
        let balance = self.balance.fetch_add(signed(rest), SeqCst);
        if rest > 0 && self.is_far_below_ceiling(committed) {
            self.lower();
        }
        self.open.fetch_sub(1, SeqCst) == 1 && balance < OVER / 2
    }

    /// Gives back what the balance has beyond `keep`. Gives how much that was.
    pub(super) fn give_back(&self, keep: u64) -> u64 {
        let keep = signed(keep.min(MOST));
        let taken = self.balance.fetch_update(SeqCst, SeqCst, |balance| (balance > keep).then_some(keep));
        let back = taken.map_or(0, |before| before.abs_diff(keep));
        self.returned.fetch_add(back, SeqCst);
        back
    }

    /// Ends the pocket: nothing can be reserved any more, what is left goes back, and what is open settles.
    pub(super) fn end(&self) {
        let left = self.balance.swap(OVER, SeqCst);
        self.sweep(left);
    }

    /// Gives back what settled since the end.
    pub(super) fn sweep_over(&self) {
        let left = self.balance.swap(OVER, SeqCst) - OVER;
        self.sweep(left);
    }

    fn sweep(&self, left: i64) {
        match u64::try_from(left) {
            Ok(left) => {
                self.returned.fetch_add(left, SeqCst);
            }
            // What answers took beyond what was given stays owed.
            Err(_) => {
                self.balance.fetch_add(left, SeqCst);
            }
        }
    }

    /// Goes on after an [end](Pocket::end).
    pub(super) fn revive(&self) {
        self.balance.fetch_sub(OVER, SeqCst);
    }

    /// Gives up its place in the journal: its last word was heard.
    pub(super) fn forget(&self) {
        if let Some(slot) = &self.slot {
            slot.lock().give_up();
        }
    }

    pub(super) fn sums(&self) -> Sums {
        // The journal of what is given back comes after it is: first what makes the node look poorer.
        Sums {
            open: self.open.load(SeqCst),
            spent: self.spent.load(SeqCst),
            returned: self.returned.load(SeqCst),
            granted: self.granted.load(SeqCst),
            balance: self.balance.load(SeqCst),
        }
    }

    /// Says what there is, and what is wanted; `closing` once nothing more can be spent.
    pub(super) fn claim(&self, id: &BudgetId, holder: Incarnation, closing: bool) -> BudgetClaim {
        let Sums { granted, spent, returned, .. } = self.sums();
        let (id, period) = (id.clone(), Some(self.period));
        BudgetClaim { id, holder, period, granted, spent, returned, want: 0, least: 0, closing }
    }

    fn take(&self, amount: u64) -> bool {
        let need = signed(amount);
        let left = |balance: i64| (balance >= need).then(|| balance - need);
        if self.balance.fetch_update(SeqCst, SeqCst, left).is_err() {
            return false;
        }
        if self.commit(amount) {
            return true;
        }
        self.committed.fetch_sub(amount, SeqCst);
        self.balance.fetch_add(need, SeqCst);
        false
    }

    /// Counts as possibly spent, once the journal says so too.
    fn commit(&self, amount: u64) -> bool {
        let committed = self.committed.fetch_add(amount, SeqCst) + amount;
        committed <= self.ceiling.load(SeqCst) || self.raise()
    }

    /// Writes a higher ceiling. False when it cannot be written and the old one cannot be taken away either.
    #[cold]
    fn raise(&self) -> bool {
        let Some(slot) = &self.slot else { return false };
        let mut slot = slot.lock();
        let committed = self.committed.load(SeqCst);
        if committed <= self.ceiling.load(SeqCst) {
            return true;
        }
        let ceiling = committed + self.chunk();
        match slot.write(ceiling) {
            Ok(()) => self.ceiling.store(ceiling, SeqCst),
            // A ceiling that is too low must not be found: rather none.
            Err(_) if slot.withdraw() => self.ceiling.store(u64::MAX, SeqCst),
            Err(_) => return false,
        }
        true
    }

    /// Tells whether a process that is killed now strands more than it need. A reservation that is large for the balance
    /// raises the ceiling by itself, so that lowering it again writes no more often than reserving does.
    fn is_far_below_ceiling(&self, committed: u64) -> bool {
        let ceiling = self.ceiling.load(SeqCst);
        let most = 2 * self.chunk() + self.granted.load(Relaxed) / STRANDED;
        ceiling != u64::MAX && ceiling.saturating_sub(committed) > most
    }

    /// Writes a lower ceiling where the old one is far above what may be spent, so that a process that is killed now
    /// strands little. Whoever writes one already does it for all.
    pub(super) fn lower(&self) {
        let Some(slot) = &self.slot else { return };
        let Some(mut slot) = slot.try_lock() else { return };
        let before = self.ceiling.load(SeqCst);
        let ceiling = self.committed.load(SeqCst) + self.chunk();
        if before == u64::MAX || ceiling + self.chunk() >= before {
            return;
        }
        // Whoever reserves beyond it now waits for the lock; whoever did so before is seen here.
        self.ceiling.store(ceiling, SeqCst);
        if self.committed.load(SeqCst) > ceiling {
            self.ceiling.store(before, SeqCst);
            return;
        }
        // Where it cannot be written the higher one stays: it wastes a little and does no harm.
        let _unwritten = slot.write(ceiling);
    }

    fn chunk(&self) -> u64 {
        u64::try_from(self.balance.load(SeqCst)).unwrap_or(0) / CHUNK
    }
}

fn signed(amount: u64) -> i64 {
    amount.min(MOST).cast_signed()
}
