//! How much of a budget an attempt takes, in the budget's unit.

use cliproxy_dialects::Weight;
use cliproxy_domain::{Operation, Price, Quota, QuotaUnit, SpentPolicy, TokenUsage};

/// The most that models whose maximum nobody knows are believed to say.
const LONGEST_ANSWER: u64 = 32_000;
/// Tokens that a stream asks for beyond what was reserved for it, at least.
const CHUNK: u64 = 256;

/// Turns tokens into a budget's unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    unit: QuotaUnit,
    price: Option<Price>,
}

impl Amount {
    /// Counts in the unit of `quota`; money by the price of the model that is called. Where that [lacks](Self::lacks_price)
    /// nothing can be counted.
    pub(super) fn new(quota: &Quota, price: Option<Price>) -> Self {
        Self { unit: quota.unit, price }
    }

    /// Gives the unit.
    pub(super) fn unit(&self) -> QuotaUnit {
        self.unit
    }

    /// Tells whether nobody knows what the call costs.
    pub(super) fn lacks_price(&self) -> bool {
        self.unit == QuotaUnit::Usd && self.price.is_none()
    }

    /// Gives what `usage` comes to.
    pub(super) fn of(&self, usage: &TokenUsage) -> u64 {
        match self.unit {
            QuotaUnit::Tokens => usage.total(),
            QuotaUnit::Requests => 1,
            QuotaUnit::Usd => self.price.map_or(0, |price| price.cost(usage)),
        }
    }

    /// Gives the most that `estimate` can come to: each token may be of the dearest class.
    pub(super) fn most(&self, estimate: &TokenUsage) -> u64 {
        match (self.unit, self.price) {
            (QuotaUnit::Usd, Some(price)) => {
                Price::new(price.dearest_input(), price.dearest_output()).cost(estimate)
            }
            _ => self.of(estimate),
        }
    }

    /// Gives by how much an answer asks for more: enough that a stream asks seldom.
    pub(super) fn chunk(&self, reserved: u64) -> u64 {
        let least = self.most(&TokenUsage { output: CHUNK, ..TokenUsage::default() });
        least.max(reserved / 8)
    }

    /// Tells whether what is taken is known only while the answer comes.
    pub(super) fn grows(&self) -> bool {
        match self.unit {
            QuotaUnit::Requests => false,
            QuotaUnit::Tokens => true,
            QuotaUnit::Usd => self.price.is_some(),
        }
    }

    /// Tells whether calls are counted and not what is in them.
    pub(super) fn is_of_calls(&self) -> bool {
        self.unit == QuotaUnit::Requests
    }
}

/// Gives the tokens that are reserved for a request; `longest` is the most that the model says in one answer.
pub(super) fn estimate(
    operation: Operation,
    weight: &Weight,
    policy: SpentPolicy,
    reserve_output: u64,
    longest: Option<u64>,
) -> TokenUsage {
    let each = match (weight.max_output, policy) {
        (Some(asked), _) => longest.map_or(asked, |longest| asked.min(longest)),
        (None, SpentPolicy::RejectNew) => longest.unwrap_or(LONGEST_ANSWER),
        (None, SpentPolicy::Stop | SpentPolicy::Finish) => {
            longest.map_or(reserve_output, |longest| reserve_output.min(longest))
        }
    };
    let output = each.saturating_mul(weight.answers);
    let (input, output) = match operation {
        Operation::Generate => (weight.prompt, output),
        Operation::Embed => (weight.prompt, 0),
        // It costs none.
        Operation::CountTokens => (0, 0),
    };
    TokenUsage { input, output, ..TokenUsage::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(max_output: Option<u64>, answers: u64) -> Weight {
        Weight { prompt: 100, max_output, answers, detached: false }
    }

    fn reserved(operation: Operation, weight: &Weight, policy: SpentPolicy, longest: Option<u64>) -> u64 {
        estimate(operation, weight, policy, 4_096, longest).total()
    }

    #[test]
    fn what_is_reserved_is_the_prompt_and_the_most_that_may_be_said() {
        let generate =
            |weight: &Weight, longest| reserved(Operation::Generate, weight, SpentPolicy::Stop, longest);
        assert_eq!(generate(&weight(Some(50), 1), None), 150);
        assert_eq!(generate(&weight(Some(50), 3), None), 250);
        assert_eq!(generate(&weight(Some(1_000_000), 1), Some(64_000)), 64_100, "it cannot say more");
        assert_eq!(generate(&weight(None, 1), None), 4_196);
        assert_eq!(generate(&weight(None, 1), Some(2_000)), 2_100);
        let never_outgrown =
            |longest| reserved(Operation::Generate, &weight(None, 1), SpentPolicy::RejectNew, longest);
        assert_eq!((never_outgrown(Some(8_192)), never_outgrown(None)), (8_292, 32_100));
        assert_eq!(reserved(Operation::Embed, &weight(None, 1), SpentPolicy::Stop, None), 100);
        assert_eq!(reserved(Operation::CountTokens, &weight(None, 1), SpentPolicy::Stop, None), 0);
    }

    #[test]
    fn money_is_reserved_at_the_dearest_and_spent_at_the_true_price() {
        let quota = Quota::new(1, QuotaUnit::Usd, cliproxy_domain::QuotaReset::Daily);
        let price = Price { cached_input: Some(1), cache_write: Some(4_000), ..Price::new(2_000, 10_000) };
        let amount = Amount::new(&quota, Some(price));
        let tokens = TokenUsage { input: 1_000, output: 1_000, ..TokenUsage::default() };
        assert_eq!(amount.most(&tokens), 14_000);
        assert_eq!(amount.of(&tokens), 12_000);
        assert_eq!(amount.of(&TokenUsage { cache_read: 1_000, ..tokens }), 10_001);
    }

    #[test]
    fn calls_are_counted_whatever_is_in_them() {
        let quota = Quota::new(1, QuotaUnit::Requests, cliproxy_domain::QuotaReset::Daily);
        let amount = Amount::new(&quota, None);
        assert_eq!(amount.most(&TokenUsage::default()), 1);
        assert!(!amount.grows() && amount.is_of_calls());
    }
}
