//! What this node itself saw of each provider lately: the answer while the control plane is away.

use cliproxy_domain::{AttemptCounts, HealthState, LedgerRow, ProviderName, WallTime};
use cliproxy_engine::health::{Heard, judge};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// The last minute by seconds, and the last day by minutes. Written once a second, off the request path.
#[derive(Default)]
pub struct Recent {
    providers: Mutex<BTreeMap<ProviderName, Seen>>,
}

#[derive(Default)]
struct Seen {
    seconds: VecDeque<(WallTime, AttemptCounts)>,
    minutes: VecDeque<Minute>,
    heard: Heard,
    checks: VecDeque<Checks>,
    checked: Option<WallTime>,
}

/// The probes of one minute.
struct Checks {
    minute: i64,
    passed: u32,
    all: u32,
}

struct Minute {
    number: i64,
    answered: bool,
}

/// One provider as this node saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Glance {
    pub(super) counts: AttemptCounts,
    pub(super) health: HealthState,
    pub(super) last: Option<WallTime>,
    pub(super) uptime_percent: f64,
}

impl Seen {
    /// Gives the share of the day's probes that passed; where there were none, that of the minutes with calls in which
    /// one was answered.
    fn uptime_percent(&self) -> f64 {
        let checks: u32 = self.checks.iter().map(|checks| checks.all).sum();
        if checks > 0 {
            let passed: u32 = self.checks.iter().map(|checks| checks.passed).sum();
            return 100.0 * f64::from(passed) / f64::from(checks);
        }
        if self.minutes.is_empty() {
            return 100.0;
        }
        let answered = self.minutes.iter().filter(|minute| minute.answered).count();
        100.0 * answered as f64 / self.minutes.len() as f64
    }
}

const DAY_OF_MINUTES: i64 = 24 * 60;

impl Recent {
    /// Adds the rows of one window that ended `now`.
    pub fn fold(&self, rows: &[LedgerRow], now: WallTime) {
        let mut providers = self.providers.lock();
        for row in rows {
            let seen = providers.entry(row.key.provider.clone()).or_default();
            match seen.seconds.back_mut() {
                Some((at, counts)) if *at == now => *counts += row.attempts,
                _ => seen.seconds.push_back((now, row.attempts)),
            }
            seen.heard.note(&row.attempts, now);
            if !row.attempts.were_heard() {
                continue;
            }
            let answered = row.attempts.were_answered();
            let number = now.0 / 60_000;
            match seen.minutes.back_mut() {
                Some(minute) if minute.number == number => minute.answered |= answered,
                _ => seen.minutes.push_back(Minute { number, answered }),
            }
        }
        for seen in providers.values_mut() {
            let oldest = now.minus(Duration::from_secs(60));
            while seen.seconds.front().is_some_and(|(at, _)| *at <= oldest) {
                seen.seconds.pop_front();
            }
            while seen.checks.front().is_some_and(|checks| checks.minute <= now.0 / 60_000 - DAY_OF_MINUTES) {
                seen.checks.pop_front();
            }
            while seen.minutes.front().is_some_and(|minute| minute.number <= now.0 / 60_000 - DAY_OF_MINUTES)
            {
                seen.minutes.pop_front();
            }
        }
    }

    /// Adds what a probe that ended `now` found.
    pub fn probe(&self, provider: &ProviderName, healthy: bool, now: WallTime) {
        let mut providers = self.providers.lock();
        let seen = providers.entry(provider.clone()).or_default();
        let minute = now.0 / 60_000;
        if seen.checks.back().is_none_or(|checks| checks.minute != minute) {
            seen.checks.push_back(Checks { minute, passed: 0, all: 0 });
        }
        if let Some(checks) = seen.checks.back_mut() {
            checks.passed += u32::from(healthy);
            checks.all += 1;
        }
        seen.checked = seen.checked.max(Some(now));
    }

    /// Gives what was seen of a provider in the minute before `now`.
    pub(super) fn glance(&self, provider: &ProviderName, now: WallTime) -> Glance {
        let providers = self.providers.lock();
        let Some(seen) = providers.get(provider) else {
            return Glance { uptime_percent: 100.0, ..Glance::default() };
        };
        let oldest = now.minus(Duration::from_secs(60));
        let mut counts = AttemptCounts::default();
        for (_, second) in seen.seconds.iter().filter(|(at, _)| *at > oldest) {
            counts += *second;
        }
        let last = seen.heard.called.max(seen.checked);
        Glance { counts, health: judge(&counts, seen.heard), last, uptime_percent: seen.uptime_percent() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{LedgerKey, TokenUsage};

    fn row(ok: u64, err_5xx: u64) -> LedgerRow {
        LedgerRow {
            key: LedgerKey { provider: "p".into(), credential: "c".into(), model: "m".into() }.into(),
            attempts: AttemptCounts { ok, err_5xx, ..AttemptCounts::default() },
            tokens: TokenUsage::default(),
            cost_nanos: 0,
        }
    }

    #[test]
    fn only_the_last_minute_counts_and_the_last_day_tells_the_uptime() {
        let recent = Recent::default();
        let minute = |n: i64| WallTime(n * 60_000);
        recent.fold(&[row(0, 4)], minute(1));
        recent.fold(&[row(3, 0)], minute(2));
        let glance = recent.glance(&"p".into(), minute(2));
        assert_eq!((glance.counts.ok, glance.counts.err_5xx), (3, 0));
        assert_eq!((glance.uptime_percent, glance.health), (50.0, HealthState::Healthy));
        assert_eq!(recent.glance(&"p".into(), minute(4)).counts.attempts(), 0);
        assert_eq!(recent.glance(&"other".into(), minute(2)).health, HealthState::Unknown);
    }

    #[test]
    fn where_there_were_probes_they_tell_the_uptime() {
        let (recent, provider) = (Recent::default(), "p".into());
        recent.fold(&[row(0, 1)], WallTime(1_000));
        for second in 1..=4 {
            recent.probe(&provider, second != 2, WallTime(second * 1_000));
        }
        let glance = recent.glance(&provider, WallTime(5_000));
        assert_eq!((glance.uptime_percent, glance.last), (75.0, Some(WallTime(4_000))));
        recent.fold(&[], WallTime((DAY_OF_MINUTES + 1) * 60_000));
        assert_eq!(recent.glance(&provider, WallTime(5_000)).uptime_percent, 100.0);
    }

    #[test]
    fn a_provider_that_only_fails_is_unhealthy() {
        let recent = Recent::default();
        recent.fold(&[row(0, 1)], WallTime(1_000));
        assert_eq!(recent.glance(&"p".into(), WallTime(2_000)).health, HealthState::Unhealthy);
    }
}
