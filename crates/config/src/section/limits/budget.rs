//! A budget: how much of a provider or of a credential, or by a client, may be used, and when that begins anew.

use crate::{
    field::{DOLLAR, Field, NotedBudget},
    section::{choices, translation::MOST_TOKENS},
    suggest,
    tree::Value,
};
use cliproxy_domain::{LimitSubject, LossMode, Quota, QuotaReset, QuotaUnit, SpentPolicy};
use jiff::tz::TimeZoneDatabase;
use std::time::Duration;

/// The most tokens or calls; a sum of them still fits 64 bits.
pub const MOST: u64 = 1_000_000_000_000_000;

/// The most dollars, in billionths.
const MOST_DOLLARS: u64 = 1_000_000_000 * DOLLAR;

/// Below this a node could not be told of a period before it is over.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The day is put in where the section is read.
const CALENDAR: [(&str, QuotaReset); 4] = [
    ("hourly", QuotaReset::Hourly),
    ("daily", QuotaReset::Daily),
    ("weekly", QuotaReset::Weekly),
    ("monthly", QuotaReset::Monthly { day: 1 }),
];

/// Reads the `quota` of a provider or of a credential; `None` when it is wrong.
pub fn read(owner: &Field<'_>, subject: &LimitSubject) -> Option<Option<Quota>> {
    match owner.section("quota") {
        // That a map belongs here is told already.
        Some(section) if matches!(section.node().value, Value::Scalar(_)) => None,
        Some(section) => read_section(&section, subject).map(Some),
        None => Some(None),
    }
}

/// Reads one budget, and notes it for those who know the prices, and who keeps it.
pub fn read_section(section: &Field<'_>, subject: &LimitSubject) -> Option<Quota> {
    let unit = match section.child("unit") {
        Some(field) => field.choice("unit", &choices(QuotaUnit::ALL, QuotaUnit::as_str)),
        None => Some(QuotaUnit::default()),
    };
    let limit = read_limit(section, unit);
    let reset = read_reset(section);
    let reset = read_day(section, reset);
    let timezone = read_timezone(section, reset);
    let on_loss = read_on_loss(section);
    let (policy, reserve_output) = (read_policy(section, unit), read_reserve(section, unit));
    let quota = Quota {
        timezone: timezone?,
        on_loss: on_loss?,
        policy: policy?,
        reserve_output: reserve_output?,
        ..Quota::new(limit?, unit?, reset?)
    };
    section.findings().note_budget(NotedBudget {
        subject: subject.clone(),
        quota: quota.clone(),
        path: section.path().to_owned(),
        place: section.key_span().clone(),
        unit: section.child("unit").map(|field| field.span().clone()),
    });
    Some(quota)
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
    let day = match field.text()?.value.as_str() {
        day @ ("29" | "30" | "31") => {
            field.refuse(format!("not every month has a day {day}; write one from 1 to 28"));
            None
        }
        _ => field.count(1..=28).and_then(|day| u8::try_from(day).ok()),
    };
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

/// Reads `on_loss`.
fn read_on_loss(section: &Field<'_>) -> Option<LossMode> {
    let Some(field) = section.child("on_loss") else { return Some(LossMode::Strict) };
    let mode = field.choice("way to go on", &choices(LossMode::ALL, LossMode::as_str))?;
    if mode == LossMode::Safe {
        field.refuse(
            "a budget has no fair share to fall back to, since what is spent does not come back: nodes that each took \
             one would pass the limit together; write `strict` or `optimistic`",
        );
        return None;
    }
    Some(mode)
}

/// Reads `policy`. A call is counted when it is sent, and cannot outgrow that.
fn read_policy(section: &Field<'_>, unit: Option<QuotaUnit>) -> Option<SpentPolicy> {
    let Some(field) = section.child("policy") else { return Some(SpentPolicy::default()) };
    let policy = field.choice("policy", &choices(SpentPolicy::ALL, SpentPolicy::as_str));
    refuse_of_requests(&field, unit)?;
    policy
}

/// Reads `reserve_output`.
fn read_reserve(section: &Field<'_>, unit: Option<QuotaUnit>) -> Option<u64> {
    let Some(field) = section.child("reserve_output") else { return Some(Quota::RESERVE_OUTPUT) };
    let tokens = field.number(1..=MOST_TOKENS);
    refuse_of_requests(&field, unit)?;
    tokens
}

/// Refuses what says how answers are counted where they are not.
fn refuse_of_requests(field: &Field<'_>, unit: Option<QuotaUnit>) -> Option<()> {
    if unit == Some(QuotaUnit::Requests) {
        field.refuse_key("a quota of `requests` counts calls, however long their answers are; remove it");
        return None;
    }
    Some(())
}
