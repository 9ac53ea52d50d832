use super::*;
use cliproxy_domain::{AttemptCounts, LedgerKey, TokenUsage};

const NOW: WallTime = WallTime(1_771_541_430_500);
const WINDOW: Duration = Duration::from_secs(300);

fn meter() -> Meter {
    let meter = Meter::default();
    meter.restart(WINDOW);
    meter
}

fn row(model: &str, attempts: AttemptCounts) -> LedgerRow {
    let key = LedgerKey { provider: "claude".into(), credential: "main".into(), model: model.into() };
    LedgerRow {
        key: key.into(),
        attempts,
        tokens: TokenUsage { input: 30, output: 10, ..Default::default() },
        cost_nanos: 0,
    }
}

/// Four answers: three streams of 2 s whose first event came after 200 ms, and one whole answer of 900 ms.
fn answers() -> AttemptCounts {
    AttemptCounts {
        ok: 4,
        latency_us: 6_900_000,
        streams: 3,
        stream_us: 6_000_000,
        first_event_us: 600_000,
        ..Default::default()
    }
}

#[test]
fn streams_and_whole_answers_are_measured_apart() {
    let meter = meter();
    meter.fold(&[row("m", answers())], NOW, NOW);
    let measured = meter.measured(NOW);
    let expected = Measured {
        streams: 3,
        first_event_us: 200_000,
        wholes: 1,
        whole_us: 900_000,
        input_tokens: 30,
        output_tokens: 10,
    };
    assert_eq!(measured, [(("claude".into(), "m".into()), expected)]);
}

#[test]
fn credentials_of_one_target_are_measured_together() {
    let meter = meter();
    let mut other = row("m", answers());
    other.key.credential = "spare".into();
    meter.fold(&[row("m", answers()), other], NOW, NOW);
    assert_eq!(meter.measured(NOW)[0].1.streams, 6);
}

#[test]
fn failures_alone_measure_nothing() {
    let meter = meter();
    let mut failed = row("m", AttemptCounts { rate_limited: 5, err_5xx: 5, ..Default::default() });
    failed.tokens = TokenUsage::default();
    meter.fold(&[failed], NOW, NOW);
    assert_eq!(meter.measured(NOW).first().map(|(_, measured)| measured.clone()), None);
}

#[test]
fn what_is_older_than_the_window_counts_no_more() {
    let meter = meter();
    meter.fold(&[row("m", answers())], NOW, NOW);
    let later = NOW.plus(WINDOW / 2);
    meter.fold(&[row("m", answers())], later, later);
    assert_eq!(meter.measured(later)[0].1.streams, 6);
    assert_eq!(meter.measured(NOW.plus(WINDOW))[0].1.streams, 3);
    assert!(meter.measured(later.plus(WINDOW)).is_empty());
}

#[test]
fn rows_that_come_late_count_in_their_own_time() {
    let meter = meter();
    meter.fold(&[row("m", answers())], NOW, NOW);
    meter.fold(&[row("m", answers())], NOW.minus(WINDOW / 2), NOW);
    meter.fold(&[row("m", answers())], NOW.minus(WINDOW), NOW);
    meter.fold(&[row("m", answers())], NOW.plus(WINDOW), NOW);
    assert_eq!(meter.measured(NOW)[0].1.streams, 9);
    assert_eq!(meter.measured(NOW.plus(WINDOW / 2))[0].1.streams, 6);
}

#[test]
fn a_long_window_takes_no_more_memory_than_a_short_one() {
    let meter = Meter::default();
    let day = Duration::from_secs(24 * 60 * 60);
    meter.restart(day);
    for minute in 0..24 * 60 {
        let end = NOW.minus(Duration::from_secs(60 * minute));
        meter.fold(&[row("m", answers())], end, NOW);
    }
    let inner = meter.0.lock();
    assert!(inner.targets.values().all(|slots| slots.len() <= 60));
    drop(inner);
    let streams = meter.measured(NOW)[0].1.streams;
    assert!((3 * 1_410..=3 * 1_440).contains(&streams), "{streams} streams within a day");
}

#[test]
fn models_that_clients_make_up_do_not_grow_without_bound() {
    let meter = meter();
    for i in 0..2 * TARGETS {
        meter.fold(&[row(&format!("m{i}"), answers())], NOW, NOW);
    }
    assert_eq!(meter.measured(NOW).len(), TARGETS);
    let later = NOW.plus(2 * WINDOW);
    meter.fold(&[row("another", answers())], later, later);
    assert_eq!(meter.measured(later).len(), 1);
}
