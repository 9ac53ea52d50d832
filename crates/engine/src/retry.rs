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
    GiveUp,
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

/// Decides what follows `failure`.
///
/// Another choice is taken as long as there is one; the same one is tried again only when there is no other and
/// the failure may pass by itself, after an exponential pause with full jitter that fits the deadline.
pub fn after_failure(failure: Failure, standing: Standing) -> Verdict {
    let may_fail_over = failure.may_fail_over() || (standing.written && failure == Failure::InvalidRequest);
    if standing.attempts >= standing.max_attempts || !may_fail_over || standing.time_left.is_zero() {
        return Verdict::GiveUp;
    }
    if standing.choices_left {
        return Verdict::NextChoice;
    }
    if !failure.may_retry_same() {
        return Verdict::GiveUp;
    }
    // A provider that names its wait is not asked earlier.
    let pause = backoff(standing.attempts, standing.draw).max(failure.retry_after().unwrap_or_default());
    if pause < standing.time_left && pause <= LONGEST_PAUSE {
        Verdict::SameAfter(pause)
    } else {
        Verdict::GiveUp
    }
}

/// The longest pause that a client is made to wait through; beyond it the client is told when to come back.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The ceiling of the first pause; it doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Gives the pause after `attempts` failed attempts on one choice: uniform below a ceiling that doubles from
/// 200 ms to 2 s. `draw` is from `[0, 1)`.
pub fn backoff(attempts: u32, draw: f64) -> Duration {
    let ceiling = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(8)).min(LONGEST_PAUSE);
    ceiling.mul_f64(draw.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::TimeoutPhase;

    const STANDING: Standing = Standing {
        attempts: 1,
        max_attempts: 3,
        choices_left: true,
        time_left: Duration::from_secs(60),
        draw: 0.5,
        written: false,
    };

    #[test]
    fn the_verdict_follows_from_the_failure_and_what_is_left() {
        let alone = Standing { choices_left: false, ..STANDING };
        let hint = |seconds| Failure::Overloaded { retry_after: Some(Duration::from_secs(seconds)) };
        let half = Duration::from_millis(100);
        let cases = [
            (Failure::Upstream, STANDING, Verdict::NextChoice),
            (Failure::RateLimited { retry_after: None }, STANDING, Verdict::NextChoice),
            (Failure::InvalidRequest, STANDING, Verdict::GiveUp),
            (Failure::InvalidRequest, Standing { written: true, ..STANDING }, Verdict::NextChoice),
            (Failure::InvalidRequest, Standing { written: true, ..alone }, Verdict::GiveUp),
            (Failure::ClientGone, STANDING, Verdict::GiveUp),
            (Failure::Upstream, alone, Verdict::SameAfter(half)),
            (Failure::RateLimited { retry_after: None }, alone, Verdict::GiveUp),
            (Failure::CredentialRejected, alone, Verdict::GiveUp),
            (Failure::Timeout(TimeoutPhase::FirstByte), alone, Verdict::GiveUp),
            (hint(1), alone, Verdict::SameAfter(Duration::from_secs(1))),
            (hint(30), alone, Verdict::GiveUp),
            (Failure::Upstream, Standing { attempts: 3, ..STANDING }, Verdict::GiveUp),
            (Failure::Upstream, Standing { time_left: Duration::ZERO, ..STANDING }, Verdict::GiveUp),
            (
                Failure::Upstream,
                Standing { time_left: half, choices_left: false, ..STANDING },
                Verdict::GiveUp,
            ),
        ];
        for (failure, standing, expected) in cases {
            assert_eq!(after_failure(failure, standing), expected, "{failure:?} with {standing:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_two_seconds_and_never_pass_them() {
        let ceilings: Vec<_> = (1..=6).map(|n| backoff(n, 1.0).as_millis()).collect();
        assert_eq!(ceilings, [200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(backoff(u32::MAX, 0.0), Duration::ZERO);
    }
}
