use super::*;
use cliproxy_domain::LedgerKey;
use std::sync::atomic::AtomicUsize;

fn one() -> AttemptCounts {
    AttemptCounts { ok: 1, ..AttemptCounts::default() }
}

fn key(model: &str) -> UsageKey {
    LedgerKey { provider: "p".into(), credential: "c".into(), model: model.into() }.into()
}

#[test]
fn sums_are_taken_once_and_lose_nothing_under_contention() {
    let ledger = Arc::new(Ledger::default());
    let one = TokenUsage { input: 3, output: 1, ..TokenUsage::default() };
    let counts = AttemptCounts { ok: 1, latency_us: 5, ..AttemptCounts::default() };
    let adders: Vec<_> = (0..4)
        .map(|i| {
            let ledger = Arc::clone(&ledger);
            std::thread::spawn(move || {
                (0..2_000).for_each(|_| ledger.add(key(&format!("m{}", i % 2)), counts, one, 7))
            })
        })
        .collect();
    let mut total = (AttemptCounts::default(), TokenUsage::default(), 0);
    let mut fold = |rows: Vec<LedgerRow>| {
        for row in rows {
            total.0 += row.attempts;
            total.1 += row.tokens;
            total.2 += row.cost_nanos;
        }
    };
    while !adders.iter().all(|adder| adder.is_finished()) {
        fold(ledger.take());
    }
    adders.into_iter().for_each(|adder| adder.join().unwrap());
    fold(ledger.take());
    assert_eq!((total.0.ok, total.0.latency_us), (8_000, 40_000));
    assert_eq!((total.1.input, total.1.output), (24_000, 8_000));
    assert_eq!(total.2, 56_000);
    assert!(ledger.take().is_empty());
}

#[test]
fn models_beyond_the_bound_are_counted_as_other() {
    let ledger = Ledger::default();
    for i in 0..MAX_KEYS + 5 {
        ledger.add(
            key(&format!("m{i}")),
            AttemptCounts { ok: 1, ..Default::default() },
            TokenUsage::default(),
            0,
        );
    }
    let rows = ledger.take();
    assert_eq!(rows.len(), MAX_KEYS + 1);
    assert_eq!(rows.iter().find(|row| row.key == key("other")).unwrap().attempts.ok, 5);
}

fn add(ledger: &Ledger, model: &str) {
    ledger.add(key(model), one(), TokenUsage::default(), 0);
}

/// Closes as many windows; gives the calls that they hold.
fn taken(ledger: &Ledger, windows: u32) -> u64 {
    (0..windows).flat_map(|_| ledger.take()).map(|row| row.attempts.ok).sum()
}

#[test]
fn models_that_are_idle_make_room_for_others() {
    let ledger = Ledger::default();
    (0..MAX_KEYS).for_each(|i| add(&ledger, &format!("m{i}")));
    assert_eq!(taken(&ledger, 1), MAX_KEYS as u64);
    assert_eq!(taken(&ledger, IDLE_WINDOWS - 1), 0);
    add(&ledger, "new");
    assert_eq!(ledger.take()[0].key, key("other"));
    add(&ledger, "new");
    assert_eq!(ledger.take()[0].key, key("new"));
}

#[test]
fn a_model_that_is_called_now_and_then_stays() {
    let ledger = Ledger::default();
    for _ in 0..3 {
        add(&ledger, "m");
        assert_eq!(taken(&ledger, IDLE_WINDOWS), 1);
        assert_eq!(ledger.rows.len(), 1);
    }
    assert_eq!(taken(&ledger, 1), 0);
    assert_eq!(ledger.rows.len(), 0);
}

#[test]
fn what_a_request_adds_to_sums_that_were_removed_meanwhile_is_counted() {
    let ledger = Ledger::default();
    add(&ledger, "m");
    let rows = ledger.rows.pin();
    let found = rows.get(&key("m")).unwrap();
    assert_eq!(taken(&ledger, 1 + IDLE_WINDOWS), 1);
    assert_eq!(ledger.rows.len(), 0);
    for _ in 0..2 {
        found.add(flat(one(), TokenUsage::default(), 0));
        add(&ledger, "m");
        let window = ledger.take();
        assert_eq!((window.len(), window[0].attempts.ok), (1, 2), "one row for both");
    }
    found.add(flat(one(), TokenUsage::default(), 0));
    drop(rows);
    assert_eq!(taken(&ledger, 2), 1);
    assert!(ledger.leaving.lock().is_empty(), "nobody can add any more");
}

/// Each adder comes back to its keys about when they are removed.
#[test]
fn removing_loses_nothing_under_contention() {
    const ADDERS: usize = 3;
    const EACH: usize = 1_000;
    let (ledger, windows) = (Ledger::default(), AtomicUsize::new(0));
    let (mut counted, mut removed) = (0, 0);
    std::thread::scope(|scope| {
        let adder = |number: usize| {
            let (ledger, windows) = (&ledger, &windows);
            move || {
                for i in 0..EACH {
                    add(ledger, &format!("m{}", (number + i) % 4));
                    let until = windows.load(Relaxed) + (i * 7 + number) % 24;
                    while windows.load(Relaxed) < until {
                        std::thread::yield_now();
                    }
                }
            }
        };
        let adders: Vec<_> = (0..ADDERS).map(|number| scope.spawn(adder(number))).collect();
        while !adders.iter().all(|adder| adder.is_finished()) {
            let before = ledger.leaving.lock().len();
            counted += taken(&ledger, 1);
            removed += ledger.leaving.lock().len().saturating_sub(before);
            windows.fetch_add(1, Relaxed);
        }
    });
    counted += taken(&ledger, 2);
    assert_eq!(counted, (ADDERS * EACH) as u64);
    assert!(removed > EACH / 10, "{removed} removals prove little");
}
