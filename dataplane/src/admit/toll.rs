//! What a request takes of its client's rates.

use crate::{
    decode::Call,
    live::{HeldRate, LAST_WAIT, LeaseWatch, Live, MOST_WAIT},
    purse::{Full, Taken},
    refusal::Refusal,
};
use cliproxy_domain::{Operation, Priority, Quota, RateKind};
use cliproxy_host::Clock;
use std::{sync::Arc, time::Duration};

/// The wait that is named where a place may be free at any time.
const SOON: Duration = Duration::from_secs(1);

/// Where rates are taken.
pub struct Gate {
    /// What the node knows.
    pub live: Arc<Live>,
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
    /// Whether anybody grants parts of limits.
    pub leases: Arc<LeaseWatch>,
}

/// What a request has taken of its client's rates. Its place among the open requests is free again when this is
/// dropped; tokens count as estimated until they are settled.
#[derive(Default)]
pub struct Toll {
    taken: Vec<Taken>,
    clock: Option<Arc<dyn Clock>>,
}

impl Toll {
    /// Counts the tokens that the request really took, and frees its place.
    pub fn settle(&mut self, tokens: u64) {
        let Some(clock) = self.clock.take() else { return };
        for mut taken in self.taken.drain(..) {
            if taken.rate().id().kind == RateKind::TokensPerMinute {
                taken.settle(tokens, clock.passed());
            }
        }
    }

    /// Takes all of it back: another node serves the request, and counts it.
    pub fn undo(&mut self) {
        let Some(clock) = self.clock.take() else { return };
        for taken in self.taken.drain(..) {
            taken.undo(clock.passed());
        }
    }
}

impl Gate {
    /// Takes one request, its tokens as far as they can be told, and a place among the open ones: all of them, or
    /// nothing.
    ///
    /// # Errors
    /// 429 naming the limit that is reached, with the time until enough of it is free again.
    pub async fn admit(&self, call: &Call) -> Result<Toll, Refusal> {
        let limits = self.live.limits();
        let held = call.caller.name().and_then(|client| limits.of_client(client));
        let Some(held) = held.filter(|held| !held.rates.is_empty()) else { return Ok(Toll::default()) };
        let mut toll = Toll { taken: Vec::new(), clock: Some(Arc::clone(&self.clock)) };
        for rate in &held.rates {
            let amount = amount(rate, call);
            if amount == 0 {
                continue;
            }
            match self.take(rate, amount).await {
                Ok(taken) => toll.taken.push(taken),
                Err(full) => {
                    toll.undo();
                    return Err(self.refusal(rate, full));
                }
            }
        }
        Ok(toll)
    }

    async fn take(&self, held: &HeldRate, amount: u64) -> Result<Taken, Full> {
        let all = Priority::High.share_percent();
        let full = match held.rate.take(amount, all, self.clock.passed()) {
            Ok(taken) => return Ok(taken),
            Err(full) => full,
        };
        let share = held.rate.state(self.clock.passed()).share;
        // Nobody could give more, or nobody is there to.
        if full == Full::Never || self.is_away() || share >= held.limit {
            return Err(full);
        }
        let (waits, news) = (held.rate.wait(amount), self.live.lease_news());
        let again = || waits.take(all, self.clock.passed());
        if full == Full::Unknown {
            // Nothing was granted yet: no client is too fast for that.
            let taken = news.retry_while(LAST_WAIT, again, |full| *full == Full::Unknown).await;
            if !matches!(taken, Err(Full::Share(_))) {
                return taken;
            }
        }
        news.retry(MOST_WAIT, again).await
    }

    fn is_away(&self) -> bool {
        self.leases.is_away(self.live.is_cut_off(), self.clock.now())
    }

    fn refusal(&self, held: &HeldRate, full: Full) -> Refusal {
        let id = held.rate.id();
        if self.is_away() && held.rate.lacks_word(full, self.clock.passed()) {
            return Refusal::share_not_in_hand(id, held.limit);
        }
        let wait = match full {
            Full::Share(wait) => wait.unwrap_or(SOON),
            Full::Unknown => SOON,
            // A client may use all that is its own, whatever its priority.
            Full::Never => return Refusal::too_large(id, held.limit, Priority::High),
        };
        Refusal::too_fast(id, held.limit, Priority::High, wait)
    }
}

/// Gives how much of a rate a request takes.
fn amount(held: &HeldRate, call: &Call) -> u64 {
    if held.rate.id().kind != RateKind::TokensPerMinute {
        return held.amount(0, 0);
    }
    let weight = call.weight();
    let said = weight.max_output.unwrap_or(Quota::RESERVE_OUTPUT).saturating_mul(weight.answers);
    match call.operation {
        Operation::Generate => held.amount(weight.prompt, said),
        Operation::Embed => held.amount(weight.prompt, 0),
        // It costs none.
        Operation::CountTokens => 0,
    }
}

#[cfg(test)]
mod tests;
