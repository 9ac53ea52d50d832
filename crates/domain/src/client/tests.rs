use super::*;
use proptest::{option, prelude::*};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn record() -> KeyRecord {
    KeyRecord {
        revision: 1,
        id: KeyHash([7; 32]).id(),
        client: "ci".into(),
        hash: KeyHash([7; 32]),
        created_at: Some(WallTime(0)),
        expires_at: None,
        revoked_at: None,
        said_by: "cp-1".into(),
    }
}

#[test]
fn a_key_is_over_once_it_is_revoked_or_expired_whichever_was_first() {
    let at = |expires: Option<i64>, revoked: Option<i64>| KeyRecord {
        expires_at: expires.map(WallTime),
        revoked_at: revoked.map(WallTime),
        ..record()
    };
    assert!(!record().is_over(WallTime(i64::MAX)));
    assert!(at(Some(5), None).is_over(WallTime(5)) && !at(Some(5), None).is_over(WallTime(4)));
    assert_eq!(at(Some(5), Some(3)).over_at(), Some(WallTime(3)));
    assert_eq!(at(Some(2), Some(3)).over_at(), Some(WallTime(2)));
}

#[test]
fn a_key_that_is_over_is_remembered_for_a_month_and_one_of_the_configuration_for_good() {
    let revoked = KeyRecord { revoked_at: Some(WallTime(0)), ..record() };
    assert_eq!(revoked.settled_at(), Some(WallTime(0).plus(30 * DAY)));
    assert_eq!(record().settled_at(), None);
    assert_eq!(KeyRecord { created_at: None, ..revoked }.settled_at(), None);
}

#[test]
fn the_end_of_a_key_that_the_configuration_takes_up_is_remembered_for_good() {
    let revoked = KeyRecord { revoked_at: Some(WallTime(5)), ..record() };
    assert_eq!(revoked.taken_up(WallTime(4)), None, "it is valid");
    let kept = revoked.taken_up(WallTime(5)).unwrap();
    let merged = kept.clone().merge(revoked);
    assert_eq!((merged.revoked_at, merged.settled_at()), (Some(WallTime(5)), None));
    assert_eq!(kept.taken_up(WallTime(9)), None, "it was said before");
}

#[test]
fn a_later_word_does_not_bring_a_revoked_key_back() {
    let revoked = KeyRecord { revision: 2, revoked_at: Some(WallTime(9)), ..record() };
    let later = KeyRecord { revision: 3, expires_at: Some(WallTime(20)), ..record() };
    let merged = later.merge(revoked);
    assert_eq!(
        (merged.revision, merged.revoked_at, merged.expires_at),
        (3, Some(WallTime(9)), Some(WallTime(20)))
    );
}

#[test]
fn a_hash_is_read_as_it_is_written() {
    let hash = KeyHash(std::array::from_fn(|at| at as u8 * 8));
    assert_eq!(hash.to_hex().len(), 64);
    assert_eq!(KeyHash::from_hex(&hash.to_hex()), Some(hash));
    assert_eq!(KeyHash::from_hex(&hash.to_hex().to_uppercase()), Some(hash));
    assert!(hash.to_hex().starts_with(&hash.id().0));
    for wrong in ["", "ab", &"g".repeat(64), &"é".repeat(32), &"a".repeat(63), &"a".repeat(65)] {
        assert_eq!(KeyHash::from_hex(wrong), None, "{wrong}");
    }
}

fn records() -> impl Strategy<Value = KeyRecord> {
    let times = [option::of(0..3_i64), option::of(0..3_i64), option::of(0..3_i64)];
    (0..3_u64, times, "[ab]").prop_map(|(revision, [created, expires, revoked], said_by)| KeyRecord {
        revision,
        created_at: created.map(WallTime),
        expires_at: expires.map(WallTime),
        revoked_at: revoked.map(WallTime),
        said_by: said_by.into(),
        ..record()
    })
}

proptest! {
    #[test]
    fn records_merge_in_any_order_and_any_number_of_times(a in records(), b in records(), c in records()) {
        let merge = |a: &KeyRecord, b: &KeyRecord| a.clone().merge(b.clone());
        prop_assert_eq!(merge(&a, &b), merge(&b, &a));
        prop_assert_eq!(merge(&merge(&a, &b), &c), merge(&a, &merge(&b, &c)));
        prop_assert_eq!(merge(&a, &a), a);
    }
}
