//! `providers.<name>.quota`: how much of that provider may be used, and when that begins anew.

use crate::{
    field::{DOLLAR, Field},
    section::choices,
    suggest,
};
use cliproxy_domain::{Quota, QuotaReset, QuotaUnit};
use jiff::tz::TimeZoneDatabase;
use std::time::Duration;

/// The most tokens or calls; a sum of them still fits 64 bits.
const MOST: u64 = 1_000_000_000_000_000;

/// The most dollars, in billionths.
const MOST_DOLLARS: u64 = 1_000_000_000 * DOLLAR;

/// Use is reported once a second.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The day is put in where the section is read.
const CALENDAR: [(&str, QuotaReset); 4] = [
    ("hourly", QuotaReset::Hourly),
    ("daily", QuotaReset::Daily),
    ("weekly", QuotaReset::Weekly),
    ("monthly", QuotaReset::Monthly { day: 1 }),
];

/// Reads the section; `None` when it is wrong.
pub fn read(provider: &Field<'_>) -> Option<Option<Quota>> {
    let Some(section) = provider.section("quota") else { return Some(None) };
    let unit = match section.child("unit") {
        Some(field) => field.choice("unit", &choices(QuotaUnit::ALL, QuotaUnit::as_str)),
        None => Some(QuotaUnit::default()),
    };
    let limit = read_limit(&section, unit);
    let reset = read_reset(&section);
    let reset = read_day(&section, reset);
    let timezone = read_timezone(&section, reset);
    if unit == Some(QuotaUnit::Usd) && provider.section("cost_per_1k_tokens").is_none() {
        let field = section.child("unit").unwrap_or_else(|| section.clone());
        field.refuse("nothing tells what a call costs; give `cost_per_1k_tokens`, or count `tokens`");
        return None;
    }
    let quota = Quota { timezone: timezone?, ..Quota::new(limit?, unit?, reset?) };
    section.warn_key(
        "it steers `quota_aware`, and keeps the provider out once it is used up; as nodes report what they used \
         every second, the calls of the last seconds may go beyond it, since exact enforcement is to come",
    );
    Some(Some(quota))
}

/// Reads `limit`, which cannot be checked while its unit is not known.
fn read_limit(section: &Field<'_>, unit: Option<QuotaUnit>) -> Option<u64> {
    let Some(field) = section.child("limit") else {
        section.refuse_key("`limit` is missing; write how many tokens, requests or US dollars may be used");
        return None;
    };
    match unit? {
        QuotaUnit::Tokens | QuotaUnit::Requests => field.number(1..=MOST),
        QuotaUnit::Usd => field.dollars(1..=MOST_DOLLARS),
    }
}

/// Reads `reset`: a word of the calendar, or a duration.
fn read_reset(section: &Field<'_>) -> Option<QuotaReset> {
    let words = CALENDAR.map(|(word, _)| word);
    let Some(field) = section.child("reset") else {
        let known = suggest::list(words);
        section.refuse_key(format!("`reset` is missing; known are {known}, and durations such as `5h`"));
        return None;
    };
    let text = field.text()?;
    if let Some((_, reset)) = CALENDAR.iter().find(|(word, _)| *word == text.value) {
        return Some(*reset);
    }
    if text.value.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return field.duration_within(SHORTEST..=LONGEST).map(QuotaReset::Every);
    }
    let advice = text.advice(words.into_iter());
    let durations = if advice.starts_with("known") { ", and durations such as `5h`" } else { "" };
    field.refuse(format!("{} is not a known reset; {advice}{durations}", field.shown()));
    None
}

/// Puts `reset_day` into a monthly reset; any other has no use for it.
fn read_day(section: &Field<'_>, reset: Option<QuotaReset>) -> Option<QuotaReset> {
    let Some(field) = section.child("reset_day") else { return reset };
    let day = field.count(1..=28).and_then(|day| u8::try_from(day).ok());
    match reset? {
        QuotaReset::Monthly { .. } => Some(QuotaReset::Monthly { day: day? }),
        _ => {
            field.refuse("only a monthly reset has a day; remove it, or write `reset: monthly`");
            None
        }
    }
}

/// Reads `timezone`, the name of a time zone. The names are those of the database that is part of the program: what
/// one machine knows of time zones is no matter of the cluster.
fn read_timezone(section: &Field<'_>, reset: Option<QuotaReset>) -> Option<String> {
    let Some(field) = section.child("timezone") else { return Some("UTC".to_owned()) };
    let text = field.text()?;
    let database = TimeZoneDatabase::bundled();
    let zone = database.get(&text.value).ok();
    let Some(name) = zone.as_ref().filter(|zone| !zone.is_unknown()).and_then(|zone| zone.iana_name()) else {
        let names: Vec<String> = database.available().map(|name| name.as_str().to_owned()).collect();
        let close = suggest::closest(&text.value, names.iter().map(String::as_str));
        let advice = match close.filter(|_| text.is_plain) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "write one such as `UTC` or `Europe/Berlin`".to_owned(),
        };
        field.refuse(format!("{} is not a known time zone; {advice}", field.shown()));
        return None;
    };
    if let Some(QuotaReset::Every(_)) = reset {
        field.refuse("a duration goes by no calendar; remove it, or reset `daily`, `weekly` or `monthly`");
        return None;
    }
    Some(name.to_owned())
}
