//! What is done for a provider that does not answer: rounds of recoveries.

use cliproxy_domain::{HealingPolicy, HealthState, WallTime};
use std::time::Duration;

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Drop connections, ask the name anew, read the credentials again, and send a half-open probe.
    Recover {
        /// Counts the recoveries of this round from 1.
        attempt: u32,
    },
    /// All recoveries of this round were in vain: the provider has failed, until the next round.
    GiveUp,
}

/// The rounds of recoveries for one provider.
///
/// A round begins as soon as the provider is down. Its recoveries are `backoff` apart, twice as long each time; once
/// `backoff` has passed after the last, the round is given up. The next begins at the next `check_interval`, counted
/// from when this one began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// None while the provider is up.
    running: Option<Running>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Running {
    began: WallTime,
    /// Recoveries made.
    attempts: u32,
    /// When the next step is due.
    due: WallTime,
    given_up: bool,
}

impl Round {
    /// Gives the step that is due `now`, if any; it counts as taken. A provider in `state` that is not down needs none,
    /// and what was begun for it is over. Steps that were missed, as by a pause of the whole machine, are not made up
    /// for.
    pub fn next(&mut self, policy: &HealingPolicy, state: HealthState, now: WallTime) -> Option<Step> {
        if !policy.enabled || !state.is_down() {
            self.running = None;
            return None;
        }
        let running = match self.running {
            Some(running) if now < running.due => return None,
            Some(running) if !running.given_up => running,
            _ => Running { began: now, attempts: 0, due: now, given_up: false },
        };
        let (running, step) = running.step(policy, now);
        self.running = Some(running);
        Some(step)
    }

    /// Tells when the next step is due; none while nothing runs.
    pub fn due(&self) -> Option<WallTime> {
        self.running.map(|running| running.due)
    }
}

impl Running {
    fn step(self, policy: &HealingPolicy, now: WallTime) -> (Running, Step) {
        let most = policy.max_attempts.max(1);
        if self.attempts >= most {
            let due = next_check(self.began, policy.check_interval, now);
            return (Running { due, given_up: true, ..self }, Step::GiveUp);
        }
        let attempts = self.attempts + 1;
        // The last one needs no longer pause: it only waits for its probe's answer.
        let doublings = if attempts == most { 0 } else { attempts - 1 };
        let pause = policy.backoff.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX));
        (Running { attempts, due: now.plus(pause), ..self }, Step::Recover { attempt: attempts })
    }
}

/// Gives the first time after `now` that is a whole number of intervals after `began`.
fn next_check(began: WallTime, interval: Duration, now: WallTime) -> WallTime {
    let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let passed = now.0.saturating_sub(began.0).max(0);
    WallTime(began.0.saturating_add((passed / interval).saturating_add(1).saturating_mul(interval)))
}

#[cfg(test)]
mod tests;
