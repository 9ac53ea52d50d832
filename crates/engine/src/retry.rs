//! Whether a failed request is tried again, where, and after what pause.

use cliproxy_domain::Failure;
use std::time::Duration;

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go to the next choice at once.
    NextChoice,
    /// Try the same choice again after the pause.
    SameAfter(Duration),
    /// Tell the client.
    GiveUp(Why),
}

/// Why a request is not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// It was tried as often as it may be.
    AttemptsSpent,
    /// Every choice was tried, and the same again would not help.
    NoChoiceLeft,
    /// No other provider would answer otherwise, or nobody waits for the answer.
    NotRetryable,
    /// Its time is over, or would be before the next attempt.
    Deadline,
    /// Too large a share of all requests is being tried again already.
    BudgetSpent,
    /// The wait that the provider names is longer than a client is made to wait.
    HintTooLong,
}

impl Why {
    /// All reasons.
    pub const ALL: [Why; 6] = [
        Why::AttemptsSpent,
        Why::NoChoiceLeft,
        Why::NotRetryable,
        Why::Deadline,
        Why::BudgetSpent,
        Why::HintTooLong,
    ];

    /// Names the reason as `explain` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::AttemptsSpent => "attempts_spent",
            Why::NoChoiceLeft => "no_choice_left",
            Why::NotRetryable => "not_retryable",
            Why::Deadline => "deadline",
            Why::BudgetSpent => "budget_spent",
            Why::HintTooLong => "hint_too_long",
        }
    }
}

impl Verdict {
    /// Holds another attempt against the budget, which is asked only where there would be one.
    pub fn within(self, take: impl FnOnce() -> bool) -> Self {
        match self {
            Verdict::GiveUp(why) => Verdict::GiveUp(why),
            again if take() => again,
            _ => Verdict::GiveUp(Why::BudgetSpent),
        }
    }
}

/// Where a request stands after a failed attempt.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Attempts made so far, the failed one included.
    pub attempts: u32,
    /// Attempts allowed.
    pub max_attempts: u32,
    /// Whether a choice is left that was not tried.
    pub choices_left: bool,
    /// What is left of the total deadline.
    pub time_left: Duration,
    /// A draw from `[0, 1)`, for the jitter.
    pub draw: f64,
    /// Whether the body was written by translation: what a provider finds wrong with it may be our own work, and
    /// right for another.
    pub written: bool,
}

/// Decides what follows `failure`, the latest of the request: its hint is the one that counts.
///
/// Another choice is taken as long as there is one. The same is tried again only when there is no other: after the wait
/// that the failure names, with up to 200 ms of jitter, when a client can be made to wait that long; without one, when
/// the failure may pass by itself, after an exponential pause with full jitter. Either must fit the deadline. Whoever
/// follows the verdict holds it against the retry budget with [`Verdict::within`].
pub fn after_failure(failure: Failure, standing: Standing) -> Verdict {
    if !(failure.may_fail_over() || may_be_ours(failure, standing)) {
        return Verdict::GiveUp(Why::NotRetryable);
    }
    if standing.attempts >= standing.max_attempts {
        return Verdict::GiveUp(Why::AttemptsSpent);
    }
    if standing.time_left.is_zero() {
        return Verdict::GiveUp(Why::Deadline);
    }
    if standing.choices_left {
        return Verdict::NextChoice;
    }
    let pause = match failure.retry_after() {
        Some(hint) if hint > LONGEST_PAUSE => return Verdict::GiveUp(Why::HintTooLong),
        // A provider that names its wait is not asked earlier.
        Some(hint) => hint + FIRST_PAUSE.mul_f64(part(standing.draw)),
        None if failure.may_retry_same() => backoff(standing.attempts, standing.draw),
        None => return Verdict::GiveUp(Why::NoChoiceLeft),
    };
    if pause < standing.time_left { Verdict::SameAfter(pause) } else { Verdict::GiveUp(Why::Deadline) }
}

fn may_be_ours(failure: Failure, standing: Standing) -> bool {
    standing.written && failure == Failure::InvalidRequest
}

/// The longest wait that a client is made to wait through; beyond it the client is told when to come back.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The ceiling of the first pause, which doubles with each attempt, and of the jitter behind a named wait.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Gives the pause after `attempts` failed attempts on one choice: uniform below a ceiling that doubles from
/// 200 ms to 2 s. `draw` is from `[0, 1)`.
pub fn backoff(attempts: u32, draw: f64) -> Duration {
    let ceiling = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(8)).min(LONGEST_PAUSE);
    ceiling.mul_f64(part(draw))
}

fn part(draw: f64) -> f64 {
    if draw.is_finite() { draw.clamp(0.0, 1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests;
