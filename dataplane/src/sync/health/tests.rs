use super::*;
use crate::upstream::Upstreams;
use cliproxy_host::SystemNet;

const NOW: WallTime = WallTime(1_700_000_000_000);

fn words() -> (Arc<Live>, HealthWords) {
    let live = Arc::new(Live::new(Upstreams::new(Arc::new(SystemNet)).unwrap(), 0));
    (Arc::clone(&live), HealthWords::new(live))
}

/// A word of the control plane.
fn word(revision: u64, state: HealthState) -> Health {
    Health {
        revision,
        provider: "p".into(),
        state,
        since: NOW,
        recovered: false,
        recoveries: 0,
        why: format!("word {revision}"),
    }
}

fn own(state: HealthState) -> Judgement {
    Judgement {
        provider: "p".into(),
        state,
        since: NOW,
        recovered: false,
        recoveries: 0,
        why: "own".to_owned(),
    }
}

/// Gives the state in force and why.
fn in_force(words: &HealthWords) -> (HealthState, String) {
    let word = words.in_force(&"p".into()).unwrap();
    (word.state, word.why)
}

#[test]
fn a_word_of_this_node_holds_until_the_control_plane_is_heard_again() {
    let (_, words) = words();
    words.heard(word(7, HealthState::Healthy), NOW);
    // Later words win, also one that a comparison would put before the other.
    for state in [HealthState::Unhealthy, HealthState::Healthy, HealthState::Unknown] {
        assert!(words.judged(own(state), NOW));
        assert_eq!(in_force(&words), (state, "own".to_owned()));
    }
    words.reconnected(NOW);
    assert_eq!(in_force(&words), (HealthState::Healthy, "word 7".to_owned()));
    words.reconnected(NOW);
    assert_eq!(in_force(&words), (HealthState::Healthy, "word 7".to_owned()));
}

#[test]
fn whatever_the_control_plane_says_next_beats_a_word_of_this_node() {
    let (_, words) = words();
    words.heard(word(7, HealthState::Healthy), NOW);
    for _ in 0..1_000 {
        words.judged(own(HealthState::Failed), NOW);
        words.judged(own(HealthState::Unhealthy), NOW);
    }
    words.heard(word(8, HealthState::Unknown), NOW);
    assert_eq!(in_force(&words), (HealthState::Unknown, "word 8".to_owned()));
    // A word from before is heard late.
    assert!(!words.heard(word(7, HealthState::Healthy), NOW));
    assert_eq!(in_force(&words).1, "word 8");
}

#[test]
fn where_the_control_plane_said_nothing_nothing_is_known_once_it_is_heard_again() {
    let (_, words) = words();
    words.judged(own(HealthState::Unhealthy), NOW);
    words.reconnected(NOW);
    assert_eq!(in_force(&words), (HealthState::Unknown, String::new()));
    words.heard(word(1, HealthState::Healthy), NOW);
    assert_eq!(in_force(&words).0, HealthState::Healthy);
}

#[test]
fn the_words_of_a_new_history_are_newer_than_all_of_the_one_before() {
    let (_, words) = words();
    words.heard(word(50, HealthState::Unhealthy), NOW);
    words.another_history();
    assert_eq!(in_force(&words).0, HealthState::Unhealthy, "what it stood for goes on");
    words.heard(word(1, HealthState::Healthy), NOW);
    assert_eq!(in_force(&words), (HealthState::Healthy, "word 1".to_owned()));
    assert_eq!(words.said(), [word(1, HealthState::Healthy)]);
}

#[test]
fn only_the_control_planes_own_words_are_saved() {
    let (_, words) = words();
    words.heard(word(3, HealthState::Healthy), NOW);
    words.judged(own(HealthState::Unhealthy), NOW);
    assert_eq!(words.said(), [word(3, HealthState::Healthy)]);
}
