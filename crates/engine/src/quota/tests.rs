use super::*;
use cliproxy_domain::QuotaUnit;
use proptest::prelude::*;

fn quota(reset: QuotaReset, timezone: &str) -> Quota {
    Quota { timezone: timezone.to_owned(), ..Quota::new(1, QuotaUnit::Tokens, reset) }
}

fn time(text: &str) -> WallTime {
    text.parse().unwrap()
}

const MONTHLY: QuotaReset = QuotaReset::Monthly { day: 1 };

#[test]
fn periods_begin_and_end_where_the_calendar_of_the_time_zone_says() {
    let every = |seconds| QuotaReset::Every(Duration::from_secs(seconds));
    let cases = [
        (QuotaReset::Hourly, "UTC", "2026-02-19T22:50:07Z", "2026-02-19T22:00:00Z", "2026-02-19T23:00:00Z"),
        (QuotaReset::Hourly, "UTC", "2026-02-19T22:00:00Z", "2026-02-19T22:00:00Z", "2026-02-19T23:00:00Z"),
        (
            QuotaReset::Hourly,
            "Asia/Kolkata",
            "2026-02-19T22:50:00Z",
            "2026-02-19T22:30:00Z",
            "2026-02-19T23:30:00Z",
        ),
        (QuotaReset::Daily, "UTC", "2026-02-19T22:50:00Z", "2026-02-19T00:00:00Z", "2026-02-20T00:00:00Z"),
        (
            QuotaReset::Daily,
            "Europe/Berlin",
            "2026-02-19T23:30:00Z",
            "2026-02-19T23:00:00Z",
            "2026-02-20T23:00:00Z",
        ),
        (
            QuotaReset::Daily,
            "America/Los_Angeles",
            "2026-02-19T07:59:59Z",
            "2026-02-18T08:00:00Z",
            "2026-02-19T08:00:00Z",
        ),
        (QuotaReset::Weekly, "UTC", "2026-02-19T22:50:00Z", "2026-02-16T00:00:00Z", "2026-02-23T00:00:00Z"),
        (QuotaReset::Weekly, "UTC", "2026-02-16T00:00:00Z", "2026-02-16T00:00:00Z", "2026-02-23T00:00:00Z"),
        (QuotaReset::Weekly, "UTC", "2026-02-22T23:59:59Z", "2026-02-16T00:00:00Z", "2026-02-23T00:00:00Z"),
        (MONTHLY, "UTC", "2026-02-19T22:50:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        (MONTHLY, "UTC", "2028-02-29T22:50:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        (MONTHLY, "UTC", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        (
            QuotaReset::Monthly { day: 28 },
            "UTC",
            "2026-02-27T12:00:00Z",
            "2026-01-28T00:00:00Z",
            "2026-02-28T00:00:00Z",
        ),
        (
            QuotaReset::Monthly { day: 28 },
            "UTC",
            "2026-02-28T00:00:00Z",
            "2026-02-28T00:00:00Z",
            "2026-03-28T00:00:00Z",
        ),
        (
            QuotaReset::Monthly { day: 15 },
            "UTC",
            "2026-01-03T00:00:00Z",
            "2025-12-15T00:00:00Z",
            "2026-01-15T00:00:00Z",
        ),
        (every(5 * 3_600), "UTC", "1970-01-01T07:00:00Z", "1970-01-01T05:00:00Z", "1970-01-01T10:00:00Z"),
        (every(90), "Europe/Berlin", "1970-01-01T00:01:30Z", "1970-01-01T00:01:30Z", "1970-01-01T00:03:00Z"),
    ];
    for (reset, timezone, now, started_at, ends_at) in cases {
        let expected = Period { started_at: time(started_at), ends_at: time(ends_at) };
        assert_eq!(period(&quota(reset, timezone), time(now)), expected, "{reset:?} {timezone} {now}");
    }
}

#[test]
fn days_are_as_long_as_daylight_saving_time_makes_them() {
    let berlin = |reset, now| {
        let period = period(&quota(reset, "Europe/Berlin"), time(now));
        period.ends_at.since(period.started_at).as_secs() / 3_600
    };
    assert_eq!(berlin(QuotaReset::Daily, "2026-03-29T12:00:00Z"), 23);
    assert_eq!(berlin(QuotaReset::Daily, "2026-10-25T12:00:00Z"), 25);
    assert_eq!(berlin(QuotaReset::Weekly, "2026-03-29T12:00:00Z"), 7 * 24 - 1);
    assert_eq!(berlin(MONTHLY, "2026-10-25T12:00:00Z"), 31 * 24 + 1);
}

#[test]
fn an_hour_that_comes_twice_is_two_periods() {
    let hourly = quota(QuotaReset::Hourly, "Europe/Berlin");
    let first = period(&hourly, time("2026-10-25T00:30:00Z"));
    let second = period(&hourly, time("2026-10-25T01:30:00Z"));
    assert_eq!(
        (first.ends_at, second.started_at),
        (time("2026-10-25T01:00:00Z"), time("2026-10-25T01:00:00Z"))
    );
}

#[test]
fn clocks_that_are_set_by_half_an_hour_leave_no_gap() {
    let lord_howe = quota(QuotaReset::Hourly, "Australia/Lord_Howe");
    let before = period(&lord_howe, time("2026-04-04T14:30:00Z"));
    let after = period(&lord_howe, before.ends_at);
    assert_eq!(before.ends_at, time("2026-04-04T15:00:00Z"));
    assert_eq!((after.started_at, after.ends_at), (before.ends_at, time("2026-04-04T15:30:00Z")));
}

#[test]
fn a_day_without_a_midnight_begins_when_it_begins() {
    // Beirut goes from midnight to one o'clock.
    let period = period(&quota(QuotaReset::Daily, "Asia/Beirut"), time("2026-03-29T12:00:00Z"));
    assert_eq!(period.started_at, time("2026-03-28T22:00:00Z"));
    assert_eq!(period.ends_at.since(period.started_at).as_secs(), 23 * 3_600);
}

#[test]
fn time_zones_are_known_without_the_machines_help() {
    for name in ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Etc/GMT+3"] {
        assert!(is_known_timezone(name), "{name}");
    }
    for name in ["", "Berlin", "Europe/Nowhere", "CET-1CEST", "../etc/passwd", "+02:00", "local"] {
        assert!(!is_known_timezone(name), "{name}");
    }
}

#[test]
fn a_time_zone_that_nobody_knows_counts_as_utc() {
    let now = time("2026-02-19T22:50:00Z");
    assert_eq!(
        period(&quota(QuotaReset::Daily, "Mars/Base"), now),
        period(&quota(QuotaReset::Daily, "UTC"), now)
    );
}

fn any_reset() -> impl Strategy<Value = QuotaReset> {
    prop_oneof![
        Just(QuotaReset::Hourly),
        Just(QuotaReset::Daily),
        Just(QuotaReset::Weekly),
        (1_u8..=28).prop_map(|day| QuotaReset::Monthly { day }),
        (1_u64..10_000_000_000).prop_map(|ms| QuotaReset::Every(Duration::from_millis(ms))),
    ]
}

fn any_zone() -> impl Strategy<Value = String> {
    let all: Vec<String> = TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
    proptest::sample::select(all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn periods_of_every_zone_follow_one_another_without_gap_or_overlap(
        reset in any_reset(), timezone in any_zone(),
        // 2024 to 2042.
        now in 1_704_067_200_000_i64..2_272_000_000_000,
    ) {
        let quota = quota(reset, &timezone);
        let now = WallTime(now);
        let this = period(&quota, now);
        prop_assert!(this.started_at <= now && now < this.ends_at);
        prop_assert_eq!(period(&quota, this.started_at), this);
        prop_assert_eq!(period(&quota, WallTime(this.ends_at.0 - 1)), this);
        prop_assert_eq!(period(&quota, this.ends_at).started_at, this.ends_at);
        prop_assert_eq!(period(&quota, WallTime(this.started_at.0 - 1)).ends_at, this.started_at);
    }

    #[test]
    fn no_time_and_no_quota_end_in_a_panic(now: i64, day: u8, length: u64, timezone in any_zone()) {
        for reset in [
            QuotaReset::Hourly, QuotaReset::Daily, QuotaReset::Weekly, QuotaReset::Monthly { day },
            QuotaReset::Every(Duration::from_millis(length)), QuotaReset::Every(Duration::ZERO),
            QuotaReset::Every(Duration::MAX),
        ] {
            for now in [now, now / 1_000_000, i64::MIN, i64::MAX, 253_402_207_200_000, -377_705_023_201_000] {
                let period = period(&quota(reset, &timezone), WallTime(now));
                prop_assert!(period.started_at <= period.ends_at);
            }
        }
    }
}
