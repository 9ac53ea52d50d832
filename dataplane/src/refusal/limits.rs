//! What is refused because of a limit: which one it is, how much it allows, and when to come back.

use super::Refusal;
use cliproxy_domain::{
    BudgetId, ErrorClass, Priority, Quota, QuotaReset, QuotaUnit, RateId, RateKind, Target, WallTime,
};
use std::{fmt, time::Duration};

/// A budget is used up until its period ends.
pub const QUOTA_EXHAUSTED: &str = "quota_exhausted";
/// The node could not get hold of a part of a budget that may not be used up.
pub const QUOTA_UNAVAILABLE: &str = "quota_unavailable";
/// A rate's limit is reached.
pub const RATE_LIMITED: &str = "rate_limit_exceeded";

/// Nobody knows what a call would take of a budget in money.
pub const NO_PRICE: &str = "no_price";

/// The wait that is named where a slice may come at any time.
const SOON: Duration = Duration::from_secs(1);
/// The wait that is named while the control plane is away.
const AWAY: Duration = Duration::from_secs(5);

impl Refusal {
    /// Says that a budget is used up. Nothing comes of asking again before its period ends, which is the wait that is
    /// named; clients that would ask again by themselves are told not to.
    pub fn spent(id: &BudgetId, quota: &Quota, resets_at: Option<WallTime>, now: WallTime) -> Self {
        let until = resets_at.map(|at| format!(" until {at}")).unwrap_or_default();
        let message = format!("{} is used up{until}", Named(id, quota));
        let retry_after = resets_at.map(|at| whole_seconds(at.since(now)));
        Self { retry_after, ..Self::new(ErrorClass::SpendOrDailyLimit, message).with_code(QUOTA_EXHAUSTED) }
    }

    /// Says that less is left of a budget than the `needs` of a request. Where they are more than all of it, no wait is
    /// named: it never has room for that.
    pub fn too_little_left(
        id: &BudgetId,
        quota: &Quota,
        [needs, left]: [u64; 2],
        resets_at: WallTime,
        now: WallTime,
    ) -> Self {
        let is_possible = needs <= quota.limit;
        let (named, needs) = (Named(id, quota), Amount(needs, id.unit));
        let what = if is_possible {
            format!(
                "{named} has {} left until {resets_at}, and this request may take {needs}",
                Amount(left, id.unit)
            )
        } else {
            format!("this request may take {needs}, which is more than all of {named}")
        };
        let message = format!(
            "{what}: ask for less, with a shorter prompt, a lower maximum of output (`max_tokens`) or, where the request \
             names none, a lower `reserve_output` of the quota"
        );
        let retry_after = is_possible.then(|| whole_seconds(resets_at.since(now)));
        Self { retry_after, ..Self::new(ErrorClass::SpendOrDailyLimit, message).with_code(QUOTA_EXHAUSTED) }
    }

    /// Says that this node has not enough of a budget in hand, and could not get more in time.
    pub fn not_in_hand(id: &BudgetId, quota: &Quota, is_away: bool) -> Self {
        let named = Named(id, quota);
        let (message, wait) = if is_away {
            (
                format!(
                    "{named} cannot be spent from: this node has used what it holds, and no control plane answers"
                ),
                AWAY,
            )
        } else {
            (
                format!(
                    "{named} has too little left for this request, or other nodes hold it: try again, or ask for less"
                ),
                SOON,
            )
        };
        Self {
            retry_after: Some(wait),
            ..Self::new(ErrorClass::RateLimit, message).with_code(QUOTA_UNAVAILABLE)
        }
    }

    /// Says that nobody knows what a call of `target` costs, so that a budget in money cannot be held. Asking again changes
    /// nothing before the configuration does.
    pub fn no_price(id: &BudgetId, quota: &Quota, target: &Target) -> Self {
        let (provider, model) = (&target.provider, &target.model);
        let message = format!(
            "the model `{model}` of provider {provider} has no price, so that {} cannot be held: give \
             `cost_per_1k_tokens` of the provider, or an entry of its `prices` for that model",
            Named(id, quota)
        );
        Self::new(ErrorClass::Permission, message).with_code(NO_PRICE)
    }

    /// Says that a rate's limit is reached, or the part of it that requests of this priority may use; it has room again
    /// after `wait`.
    pub fn too_fast(id: &RateId, limit: u64, priority: Priority, wait: Duration) -> Self {
        let message =
            format!("the limit of {} is reached: {limit} {}{}", id.subject, counted(id.kind), Part(priority));
        Self {
            retry_after: Some(whole_seconds(wait)),
            ..Self::new(ErrorClass::RateLimit, message).with_code(RATE_LIMITED)
        }
    }

    /// Says that this node may use no more of a rate, as no control plane answers that could let it.
    pub fn share_not_in_hand(id: &RateId, limit: u64) -> Self {
        let message = format!(
            "this node may use no more of the limit of {} ({limit} {}), as no control plane answers",
            id.subject,
            counted(id.kind)
        );
        Self {
            retry_after: Some(AWAY),
            ..Self::new(ErrorClass::RateLimit, message).with_code(QUOTA_UNAVAILABLE)
        }
    }

    /// Says that a request can never be taken of a rate, or of its priority's part, however long its client waits.
    pub fn too_large(id: &RateId, limit: u64, priority: Priority) -> Self {
        let message = format!(
            "the request is larger than the limit of {}: {limit} tokens per minute{}; send less at once",
            id.subject,
            Part(priority)
        );
        Self::new(ErrorClass::SpendOrDailyLimit, message).with_code(RATE_LIMITED)
    }

    /// Tells whether a limit of the gateway's own is the reason.
    pub fn is_of_a_limit(&self) -> bool {
        matches!(self.code, Some(QUOTA_EXHAUSTED | QUOTA_UNAVAILABLE | RATE_LIMITED))
    }
}

/// A budget as people know it: `the quota of provider claude (1000000 tokens, monthly)`.
struct Named<'n>(&'n BudgetId, &'n Quota);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(id, quota) = self;
        write!(f, "the quota of {} ({}, ", id.subject, Amount(quota.limit, id.unit))?;
        match quota.reset {
            QuotaReset::Hourly => f.write_str("hourly)"),
            QuotaReset::Daily => f.write_str("daily)"),
            QuotaReset::Weekly => f.write_str("weekly)"),
            QuotaReset::Monthly { .. } => f.write_str("monthly)"),
            QuotaReset::Every(length) => write!(f, "every {} s)", length.as_secs_f64()),
        }
    }
}

/// The part of a rate that a priority may use, where that is not all.
struct Part(Priority);

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.share_percent() {
            100 => Ok(()),
            percent => write!(f, ", of which clients of priority `{}` may use {percent} %", self.0.as_str()),
        }
    }
}

fn counted(kind: RateKind) -> &'static str {
    match kind {
        RateKind::RequestsPerMinute => "requests per minute",
        RateKind::TokensPerMinute => "tokens per minute",
        RateKind::ConcurrentRequests => "requests at the same time",
    }
}

/// An amount with its unit, as `1000000 tokens`.
pub struct Amount(pub u64, pub QuotaUnit);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            QuotaUnit::Tokens => write!(f, "{} tokens", self.0),
            QuotaUnit::Requests => write!(f, "{} requests", self.0),
            QuotaUnit::Usd => write!(f, "{} US dollars", Dollars(self.0)),
        }
    }
}

/// Billionths of a dollar as dollars, without the zeros at the end.
struct Dollars(u64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WHOLE: u64 = 1_000_000_000;
        let rest = format!("{:09}", self.0 % WHOLE);
        let rest = rest.trim_end_matches('0');
        let dot = if rest.is_empty() { "" } else { "." };
        write!(f, "{}{dot}{rest}", self.0 / WHOLE)
    }
}

/// Rounds up to whole seconds, to 1 at least.
fn whole_seconds(wait: Duration) -> Duration {
    Duration::from_secs(u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::LimitSubject;

    fn quota(limit: u64, unit: QuotaUnit, reset: QuotaReset) -> (BudgetId, Quota) {
        let id = BudgetId { subject: LimitSubject::Provider("claude".into()), unit };
        (id, Quota::new(limit, unit, reset))
    }

    fn at(text: &str) -> WallTime {
        text.parse().unwrap()
    }

    #[test]
    fn a_budget_that_is_used_up_is_named_with_its_limit_and_its_end() {
        let (id, quota) = quota(1_000_000, QuotaUnit::Tokens, QuotaReset::Monthly { day: 1 });
        let resets_at = at("2026-12-01T00:00:00Z");
        let refusal = Refusal::spent(&id, &quota, Some(resets_at), at("2026-11-30T23:59:58.200Z"));
        assert_eq!(
            refusal.message,
            "the quota of provider claude (1000000 tokens, monthly) is used up until 2026-12-01T00:00:00Z"
        );
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(2)));
        assert_eq!((refusal.class, refusal.code), (ErrorClass::SpendOrDailyLimit, Some("quota_exhausted")));
    }

    #[test]
    fn a_budget_that_has_less_left_than_is_asked_for_says_how_much() {
        let (id, quota) = quota(2_000_000_000, QuotaUnit::Usd, QuotaReset::Daily);
        let (now, resets_at) = (at("2026-11-30T23:59:00Z"), at("2026-12-01T00:00:00Z"));
        let refusal = |needs| Refusal::too_little_left(&id, &quota, [needs, 30_000_000], resets_at, now);
        let today = refusal(1_250_000_000);
        assert_eq!(
            today.message,
            "the quota of provider claude (2 US dollars, daily) has 0.03 US dollars left until \
             2026-12-01T00:00:00Z, and this request may take 1.25 US dollars: ask for less, with a shorter prompt, a lower \
             maximum of output (`max_tokens`) or, where the request names none, a lower `reserve_output` of the quota"
        );
        assert_eq!(today.retry_after, Some(Duration::from_secs(60)));
        let never = refusal(2_500_000_000);
        assert!(
            never.message.starts_with(
                "this request may take 2.5 US dollars, which is more than all of the quota of provider claude (2 US \
                 dollars, daily): ask for less"
            ),
            "{}",
            never.message
        );
        assert_eq!(never.retry_after, None, "no wait brings that");
        for refusal in [today, never] {
            assert_eq!(
                (refusal.class, refusal.code),
                (ErrorClass::SpendOrDailyLimit, Some("quota_exhausted"))
            );
        }
    }

    #[test]
    fn a_rate_of_which_a_priority_may_use_a_part_names_both() {
        let id = RateId { subject: LimitSubject::Client("ci".into()), kind: RateKind::RequestsPerMinute };
        let told = |priority| Refusal::too_fast(&id, 20, priority, Duration::ZERO).message;
        let all = "the limit of client ci is reached: 20 requests per minute";
        assert_eq!(told(Priority::High), all);
        assert_eq!(told(Priority::Low), format!("{all}, of which clients of priority `low` may use 80 %"));
    }

    #[test]
    fn what_cannot_be_had_now_is_worth_asking_for_again() {
        let (id, quota) = quota(50, QuotaUnit::Requests, QuotaReset::Every(Duration::from_secs(90)));
        for (away, wait) in [(true, 5), (false, 1)] {
            let refusal = Refusal::not_in_hand(&id, &quota, away);
            assert_eq!(refusal.retry_after, Some(Duration::from_secs(wait)));
            assert_eq!((refusal.class, refusal.code), (ErrorClass::RateLimit, Some("quota_unavailable")));
            assert!(refusal.message.starts_with("the quota of provider claude (50 requests, every 90 s) "));
        }
    }

    #[test]
    fn dollars_are_told_as_dollars() {
        let told = |nanos| Dollars(nanos).to_string();
        assert_eq!(told(50_000_000_000), "50");
        assert_eq!(told(1_250_000_000), "1.25");
        assert_eq!(told(1), "0.000000001");
    }
}
