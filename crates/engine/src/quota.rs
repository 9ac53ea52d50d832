//! When a quota's period began and when it ends.

use cliproxy_domain::{Quota, QuotaReset, WallTime};
use jiff::{
    Span, Timestamp, ToSpan, Zoned,
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};
use std::time::Duration;

/// One period of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// When it began.
    pub started_at: WallTime,
    /// When the next one begins.
    pub ends_at: WallTime,
}

/// Gives the period that `now` lies in. Periods follow one another without gap or overlap, whatever daylight saving time
/// does: a day has then 23 or 25 hours, and a day whose midnight is skipped begins when it begins.
///
/// A time zone that is [not known](is_known_timezone) counts as UTC; the configuration is checked for it.
pub fn period(quota: &Quota, now: WallTime) -> Period {
    let zone = zone(&quota.timezone).unwrap_or(TimeZone::UTC);
    let at = timestamp(now);
    match quota.reset {
        QuotaReset::Every(length) => every(length, now),
        QuotaReset::Hourly => hour(&zone, at),
        QuotaReset::Daily => days(&zone, at.to_zoned(zone.clone()).date(), 1.day()),
        QuotaReset::Weekly => {
            let today = at.to_zoned(zone.clone()).date();
            let since_monday = i64::from(today.weekday().to_monday_zero_offset());
            days(&zone, earlier(today, since_monday.days()), 1.week())
        }
        QuotaReset::Monthly { day } => {
            let today = at.to_zoned(zone.clone()).date();
            // All months have 28 days.
            let day = i8::try_from(day.clamp(1, 28)).unwrap_or(1);
            let this_month = today.with().day(day).build().unwrap_or(today);
            let first = if this_month <= today { this_month } else { earlier(this_month, 1.month()) };
            days(&zone, first, 1.month())
        }
    }
}

/// Tells whether `name` is a time zone of the IANA database, as `UTC` or `Europe/Berlin`. The database is part of the
/// program, so that all nodes give the same answer whatever their machines hold.
pub fn is_known_timezone(name: &str) -> bool {
    zone(name).is_some()
}

fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

fn timestamp(time: WallTime) -> Timestamp {
    Timestamp::from_millisecond(time.0).unwrap_or(if time.0 < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn every(length: Duration, now: WallTime) -> Period {
    let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX).max(1);
    let started_at = now.0.saturating_sub(now.0.rem_euclid(length));
    Period { started_at: WallTime(started_at), ends_at: WallTime(started_at.saturating_add(length)) }
}

const HOUR: i64 = 60 * 60;

/// Goes by the offset in force rather than by the local time, which comes twice when clocks are set back.
fn hour(zone: &TimeZone, at: Timestamp) -> Period {
    let offset = i64::from(zone.to_offset(at).seconds());
    let second = at.as_millisecond().div_euclid(1_000);
    let mut start = second - (second + offset).rem_euclid(HOUR);
    let mut end = start + HOUR;
    // Where clocks are set by less than an hour, as on Lord Howe Island, an hour begins anew with that.
    let before = zone.preceding(at.checked_add(1.nanosecond()).unwrap_or(at)).next();
    if let Some(change) = before.map(|change| change.timestamp().as_second()) {
        start = start.max(change);
    }
    if let Some(change) = zone.following(at).next().map(|change| change.timestamp().as_second()) {
        end = end.min(change);
    }
    Period { started_at: WallTime(start * 1_000), ends_at: WallTime(end * 1_000) }
}

fn days(zone: &TimeZone, first: Date, length: Span) -> Period {
    let next = first.checked_add(length).unwrap_or(Date::MAX);
    Period { started_at: start_of(zone, first), ends_at: start_of(zone, next) }
}

fn start_of(zone: &TimeZone, day: Date) -> WallTime {
    let start = day.to_zoned(zone.clone()).and_then(|day: Zoned| day.start_of_day());
    match start {
        Ok(start) => WallTime(start.timestamp().as_millisecond()),
        // Beyond the years that can be told.
        Err(_) if day.year() < 0 => WallTime(i64::MIN),
        Err(_) => WallTime(i64::MAX),
    }
}

fn earlier(day: Date, by: Span) -> Date {
    day.checked_sub(by).unwrap_or(Date::MIN)
}

#[cfg(test)]
mod tests;
