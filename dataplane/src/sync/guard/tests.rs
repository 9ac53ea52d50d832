//! What is blamed, for how long, and what never is.

use super::*;
use cliproxy_host::{MemoryDisk, SystemClock};
use std::sync::atomic::{AtomicI64, Ordering};

const V: ConfigId = ConfigId(7);
const BEFORE: ConfigId = ConfigId(6);

/// A clock that is moved by hand.
struct Hands {
    start: Instant,
    millis: AtomicI64,
}

impl Clock for Hands {
    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.millis.load(Ordering::SeqCst).unsigned_abs())
    }

    fn wall(&self) -> WallTime {
        WallTime(1_800_000_000_000 + self.millis.load(Ordering::SeqCst))
    }
}

/// A node's disk and clock.
struct World {
    disk: MemoryDisk,
    clock: Arc<Hands>,
}

impl World {
    fn new() -> Self {
        let clock = Hands { start: SystemClock.now(), millis: AtomicI64::new(0) };
        Self { disk: MemoryDisk::default(), clock: Arc::new(clock) }
    }

    /// Starts the program anew, whatever became of it before.
    fn start(&self) -> Guard {
        self.start_as("1.0")
    }

    fn start_as(&self, build: &str) -> Guard {
        let clock: Arc<dyn Clock> = Arc::<Hands>::clone(&self.clock);
        Guard::load(Arc::new(self.disk.clone()), clock, build)
    }

    fn pass(&self, time: Duration) {
        self.clock.millis.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn dies_three_times(&self) {
        for _ in 0..DEATHS {
            puts_in_force(&mut self.start(), V);
        }
    }
}

fn history() -> HistoryId {
    HistoryId("h 1".into())
}

fn puts_in_force(guard: &mut Guard, config: ConfigId) {
    guard.begins(&history(), config);
    guard.writing()().unwrap();
}

fn dies_of(guard: &Guard, config: ConfigId) -> bool {
    guard.dies_of(&history(), config).is_some()
}

#[test]
fn three_deaths_with_a_configuration_are_enough() {
    let world = World::new();
    for _ in 0..DEATHS {
        let mut guard = world.start();
        assert!(!dies_of(&guard, V));
        puts_in_force(&mut guard, V);
        assert_eq!(guard.died_of(&history()), None, "it runs it");
    }
    let guard = world.start();
    assert!(dies_of(&guard, V) && !dies_of(&guard, BEFORE));
    assert_eq!(guard.died_of(&history()), Some(Blamed { config: V, again_in: AGAIN }));
    assert_eq!(guard.died_of(&HistoryId("another".into())), None);
}

#[test]
fn the_one_before_is_not_to_blame_for_what_the_next_did() {
    let world = World::new();
    for _ in 0..DEATHS {
        let mut guard = world.start();
        puts_in_force(&mut guard, BEFORE);
        puts_in_force(&mut guard, V);
    }
    let guard = world.start();
    assert!(dies_of(&guard, V) && !dies_of(&guard, BEFORE));
}

#[test]
fn whoever_lived_for_a_minute_is_not_killed_by_its_configuration_later() {
    let world = World::new();
    let mut guard = world.start();
    puts_in_force(&mut guard, V);
    assert!(!guard.lives());
    world.pass(SURVIVED);
    assert!(guard.lives() && !guard.lives());
    guard.writing()().unwrap();
    for _ in 0..2 * DEATHS {
        let mut guard = world.start();
        assert!(!dies_of(&guard, V));
        puts_in_force(&mut guard, V);
    }
    assert!(!dies_of(&world.start(), V));
}

#[test]
fn nothing_is_proved_with_what_was_refused() {
    let world = World::new();
    let mut guard = world.start();
    puts_in_force(&mut guard, V);
    guard.takes_back();
    world.pass(SURVIVED);
    assert!(!guard.lives());
    guard.writing()().unwrap();
    world.dies_three_times();
    assert!(dies_of(&world.start(), V));
}

#[test]
fn whoever_ends_in_order_does_not_die_of_it() {
    let world = World::new();
    for _ in 0..2 * DEATHS {
        let mut guard = world.start();
        puts_in_force(&mut guard, V);
        assert!(guard.ends() && !guard.ends());
        guard.writing()().unwrap();
    }
    assert!(!dies_of(&world.start(), V));
}

#[test]
fn what_is_blamed_is_tried_again_ever_later_and_one_death_is_then_enough() {
    let world = World::new();
    world.dies_three_times();
    for minutes in [5, 10, 20, 40, 60, 60] {
        let wait = Duration::from_secs(60 * minutes);
        assert_eq!(world.start().dies_of(&history(), V), Some(wait));
        world.pass(wait - Duration::from_millis(1));
        assert!(dies_of(&world.start(), V));
        world.pass(Duration::from_millis(1));
        let mut guard = world.start();
        assert_eq!((guard.dies_of(&history(), V), guard.died_of(&history())), (None, None));
        puts_in_force(&mut guard, V);
    }
    // It lives with it at last.
    world.pass(LATEST);
    let mut guard = world.start();
    puts_in_force(&mut guard, V);
    world.pass(SURVIVED);
    assert!(guard.lives());
    guard.writing()().unwrap();
    world.dies_three_times();
    assert!(!dies_of(&world.start(), V));
}

#[test]
fn what_is_blamed_is_tried_at_once_after_an_end_in_order() {
    let world = World::new();
    world.dies_three_times();
    let mut guard = world.start();
    puts_in_force(&mut guard, BEFORE);
    assert!(guard.ends());
    guard.writing()().unwrap();
    let mut guard = world.start();
    assert!(!dies_of(&guard, V));
    puts_in_force(&mut guard, V);
    assert!(dies_of(&world.start(), V), "one more death is enough");
}

#[test]
fn a_clock_that_was_set_back_leaves_nothing_alone_for_ever() {
    let world = World::new();
    world.dies_three_times();
    world.clock.millis.fetch_sub(24 * 3_600_000, Ordering::SeqCst);
    assert!(!dies_of(&world.start(), V));
}

#[test]
fn another_program_and_a_damaged_file_know_nothing() {
    let world = World::new();
    world.dies_three_times();
    assert!(world.start_as("1.1").dies_of(&history(), V).is_none());
    let sound = world.disk.read(FILE).unwrap().unwrap();
    for end in 0..sound.len() {
        world.disk.write(FILE, &sound[..end]).unwrap();
        world.start();
    }
    world.disk.write(FILE, b"1.0\n7 3").unwrap();
    assert!(!dies_of(&world.start(), V));
}
