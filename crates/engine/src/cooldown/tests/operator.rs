use super::*;

fn key() -> CooldownKey {
    CooldownKey::provider("claude".into())
}

#[test]
fn an_operators_rest_is_as_long_as_he_says_even_when_what_rested_was_longer() {
    let resting = Cooldown { until: NOW.plus(HOUR), ..half_open(Scope::Provider, CooldownCause::Error) };
    let forced = force(key(), resting.epoch, NOW, MINUTE, "ana", "maintenance");
    assert_eq!(resting.merge(forced.clone()), forced);
    assert_eq!((forced.until, forced.cause), (NOW.plus(MINUTE), CooldownCause::Manual));
    assert_eq!((forced.evidence.by.as_str(), forced.evidence.note.as_str()), ("ana", "maintenance"));
    assert_eq!(stage(&forced, NOW), Stage::Resting);
}

#[test]
fn recovery_ends_the_rest_at_once_and_stands_against_stale_429s() {
    let resting = Cooldown { until: NOW.plus(HOUR), ..half_open(Scope::Provider, CooldownCause::Error) };
    let recovered = recover(key(), resting.epoch, NOW, "ana", "");
    assert_eq!(resting.clone().merge(recovered.clone()), recovered);
    assert!(matches!(stage(&recovered, NOW), Stage::Rising(_)));
    let stale = Cooldown { until: NOW.plus(HOUR * 2), ..resting };
    assert_eq!(stale.merge(recovered.clone()), recovered);
}

#[test]
fn the_last_epoch_is_kept_rather_than_passed() {
    assert_eq!(recover(key(), u64::MAX, NOW, "ana", "").epoch, u64::MAX);
}

#[test]
fn a_rest_of_the_whole_provider_does_not_take_an_epoch_that_is_of_one_credential() {
    let mut window = Window::default();
    let seen = |at| Report { seen_epoch: 3, ..report_at(Blame::Error, at) };
    let rest = (0..5).filter_map(|_| window.note(&rules(), &seen(NOW))).next().unwrap();
    assert_eq!(continued(rest.clone(), None).epoch, 0);
    let word = Cooldown { epoch: 2, cleared: true, ..half_open(Scope::Provider, CooldownCause::Manual) };
    let behind = continued(rest, Some(&word));
    assert_eq!(behind.epoch, 2);
    assert_eq!(word.merge(behind.clone()), behind);
}
