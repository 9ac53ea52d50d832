//! What it costs to admit a request: three budgets reserved and settled, and three rates taken, as a client's and a
//! credential's limits are.
//!
//! `cargo bench -p cliproxy-dataplane`. Aim on an idle machine of today: under 2 µs, with one thread and with two on the
//! same limits.
#![expect(clippy::unwrap_used, reason = "a scene that cannot be set ends the measurement")]

use cliproxy_dataplane::purse::{Journal, Purse, Rate, Reservation, Taken};
use cliproxy_domain::{
    BudgetGrant, BudgetId, Incarnation, LimitSubject, QuotaUnit, RateId, RateKind, WallTime,
};
use cliproxy_host::{Clock as _, SystemClock, SystemDisk};
use divan::{Bencher, black_box};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

#[global_allocator]
static ALLOC: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

struct Limits {
    budgets: Vec<Arc<Purse>>,
    rates: Vec<Arc<Rate>>,
    _folder: tempfile::TempDir,
}

const PLENTY: u64 = 1 << 50;

/// With a journal on the disk, as a node has.
fn limits() -> Limits {
    let now = SystemClock.now();
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(Arc::new(SystemDisk::new(folder.path())), Incarnation(1)).journal;
    assert!(journal.is_written());
    let subject = LimitSubject::Client("ci".into());
    let purse = |unit| {
        let id = BudgetId { subject: subject.clone(), unit };
        let purse = Purse::new(id.clone(), Incarnation(1), Arc::clone(&journal), now);
        let (ends_in, leased) = (Duration::from_secs(86_400), PLENTY);
        let (period, granted, limit) = (WallTime(0), PLENTY, PLENTY);
        purse
            .apply(&BudgetGrant { id, period, ends_in, granted, limit, used: 0, leased, recall: false }, now);
        purse
    };
    let rate = |kind| Rate::alone(RateId { subject: subject.clone(), kind }, PLENTY, PLENTY, now);
    Limits {
        budgets: QuotaUnit::ALL.map(purse).into(),
        rates: RateKind::ALL.map(rate).into(),
        _folder: folder,
    }
}

/// Reads the clock twice, as a request does.
fn admit(limits: &Limits) -> (Vec<Taken>, Vec<Reservation>) {
    let now: Instant = SystemClock.passed();
    let taken = limits.rates.iter().map(|rate| rate.take(black_box(9), 95, now).unwrap()).collect();
    let reserved = limits.budgets.iter().map(|purse| purse.reserve(black_box(900), now).unwrap()).collect();
    (taken, reserved)
}

fn settle((taken, reserved): (Vec<Taken>, Vec<Reservation>)) {
    let now = SystemClock.passed();
    for mut taken in taken {
        taken.settle(black_box(7), now);
    }
    for reservation in reserved {
        reservation.settle(black_box(500));
    }
}

#[divan::bench(threads = [1, 2])]
fn reserve_and_settle(bencher: Bencher<'_, '_>) {
    let limits = limits();
    bencher.bench(|| settle(admit(&limits)));
}

#[divan::bench(threads = [1, 2])]
fn refuse(bencher: Bencher<'_, '_>) {
    let limits = limits();
    let now = SystemClock.now();
    bencher.bench(|| limits.budgets[0].reserve(black_box(PLENTY * 2), now).unwrap_err());
}
