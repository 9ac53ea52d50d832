//! The seeds that are run: each in a process of its own, so that nothing of one run is left for the next, and a seed
//! does the same whichever runs before it.

use crate::run::run;
use std::process::{Command, Output};

/// The variable that tells a process its seed.
const SEED: &str = "SIM_SEED";
/// The variable that has a process print the whole story.
const STORY: &str = "SIM_STORY";

/// The variable that has nothing go wrong.
const CALM: &str = "SIM_CALM";

/// Runs the seed that the environment names.
#[test]
#[ignore = "it runs one seed, which the environment names, for the other tests and for replays"]
fn replay() {
    let seed =
        std::env::var(SEED).expect("the environment names a seed").parse().expect("a seed is a number");
    let outcome = run(seed, std::env::var_os(CALM).is_some());
    if std::env::var_os(STORY).is_some() {
        println!("{}", outcome.story.lines().join("\n"));
    }
    println!("seed {seed}: story {:016x}", outcome.hash);
    assert!(outcome.broken.is_empty(), "seed {seed}\n{}", outcome.report());
}

fn in_its_own_process(seed: u64) -> Output {
    replaying(seed).output().expect("it can be started again")
}

fn replaying(seed: u64) -> Command {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.args(["seeds::replay", "--exact", "--ignored", "--nocapture"]).env(SEED, seed.to_string());
    command
}

/// Gives the line that sums a run up.
fn summary(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().find(|line| line.starts_with("seed ")).unwrap_or("no summary").to_owned()
}

fn hold(seeds: std::ops::RangeInclusive<u64>) {
    for seed in seeds {
        let output = in_its_own_process(seed);
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let [first, second] = [(); 2].map(|()| in_its_own_process(7));
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    assert_eq!(summary(&first), summary(&second));
    assert_ne!(summary(&first), summary(&in_its_own_process(8)));
}

/// Holds that what clients ask for is more than there is: a limit that is never reached is passed by nobody.
#[test]
fn limits_are_reached_where_nothing_goes_wrong() {
    for seed in [7, 9] {
        let output = replaying(seed).env(CALM, "yes").output().expect("it can be started again");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}

/// Makes a test of each range.
macro_rules! seeds {
    ($($name:ident: $seeds:expr;)*) => {$(
        #[test]
        fn $name() {
            hold($seeds);
        }
    )*};
}

// As many tests as keep a few cores busy to the end.
seeds! {
    seeds_1_to_25_hold: 1..=25;
    seeds_26_to_50_hold: 26..=50;
    seeds_51_to_75_hold: 51..=75;
    seeds_76_to_100_hold: 76..=100;
    seeds_101_to_125_hold: 101..=125;
    seeds_126_to_150_hold: 126..=150;
    seeds_151_to_175_hold: 151..=175;
    seeds_176_to_200_hold: 176..=200;
}
