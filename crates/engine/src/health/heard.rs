//! What the last minute of live traffic shows of a provider.

use cliproxy_domain::{AttemptCounts, HealthState, WallTime};

/// When a provider was last heard of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// When a call last ended that says something of the provider.
    pub called: Option<WallTime>,
    /// When it last answered, be it with a refusal.
    pub answered: Option<WallTime>,
}

impl Heard {
    /// Takes note of calls that ended at `end`.
    pub fn note(&mut self, attempts: &AttemptCounts, end: WallTime) {
        if attempts.were_heard() {
            self.called = self.called.max(Some(end));
        }
        if attempts.were_answered() {
            self.answered = self.answered.max(Some(end));
        }
    }
}

/// Judges by the last minute; after a quiet one the verdict before it stands.
pub fn judge(last_minute: &AttemptCounts, heard: Heard) -> HealthState {
    let answers = if last_minute.were_heard() {
        last_minute.were_answered()
    } else {
        match (heard.called, heard.answered) {
            (None, _) => return HealthState::Unknown,
            (Some(_), None) => false,
            // Windows of several nodes end a little apart.
            (Some(called), Some(answered)) => answered.0.div_euclid(1_000) + 1 >= called.0.div_euclid(1_000),
        }
    };
    if answers { HealthState::Healthy } else { HealthState::Unhealthy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_judged_by_whether_it_answers_at_all() {
        let ok = AttemptCounts { ok: 1, err_5xx: 9, ..AttemptCounts::default() };
        let refuses = AttemptCounts { rate_limited: 1, ..AttemptCounts::default() };
        let fails = AttemptCounts { err_5xx: 1, ..AttemptCounts::default() };
        let cancelled = AttemptCounts { cancelled: 1, ..AttemptCounts::default() };
        let now = WallTime(100_000);
        let after = |attempts: &[AttemptCounts]| {
            let mut heard = Heard::default();
            attempts.iter().for_each(|attempts| heard.note(attempts, now));
            heard
        };
        let cases = [
            (ok, after(&[ok]), HealthState::Healthy),
            (refuses, after(&[refuses]), HealthState::Healthy),
            (fails, after(&[fails]), HealthState::Unhealthy),
            (cancelled, after(&[cancelled]), HealthState::Unknown),
            (AttemptCounts::default(), after(&[]), HealthState::Unknown),
            (AttemptCounts::default(), after(&[ok]), HealthState::Healthy),
            (AttemptCounts::default(), after(&[fails]), HealthState::Unhealthy),
        ];
        for (last_minute, heard, expected) in cases {
            assert_eq!(judge(&last_minute, heard), expected, "{last_minute:?} {heard:?}");
        }
    }
}
