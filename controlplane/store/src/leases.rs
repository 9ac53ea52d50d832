//! Who holds a lease, the same for every store that computes it rather than its database.

use cliproxy_domain::{Fence, Lease, WallTime};
use std::time::Duration;

/// A lease as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who holds it, or held it last; `None` once it was given up.
    pub holder: Option<String>,
    /// How often it went from one to another.
    pub epoch: u64,
    /// Until when, by the store's clock.
    pub ends_at: WallTime,
}

impl Held {
    /// Takes or renews for `holder` at `now` what is `known` of a lease, or leaves it to the one who has it.
    pub fn taken(known: Option<Held>, holder: String, now: WallTime, ttl: Duration) -> Held {
        let ends_at = now.plus(ttl);
        match known {
            None => Held { holder: Some(holder), epoch: 1, ends_at },
            Some(held) if held.holder.as_ref() == Some(&holder) => Held { ends_at, ..held },
            Some(held) if held.holder.is_none() || held.ends_at <= now => {
                Held { holder: Some(holder), epoch: held.epoch.saturating_add(1), ends_at }
            }
            Some(held) => held,
        }
    }

    /// Shows it as it is at `now`.
    pub fn at(&self, now: WallTime) -> Lease {
        Lease {
            holder: self.holder.clone().unwrap_or_default(),
            epoch: self.epoch,
            left: self.ends_at.since(now),
        }
    }

    /// Tells whether a write under `fence` is done. Also one who is late may write while nobody else came: whatever
    /// another does under the lease, he does after it.
    pub fn admits(&self, fence: &Fence) -> bool {
        self.epoch == fence.epoch && self.holder.as_ref() == Some(&fence.holder)
    }

    /// Gives it up. The epoch stays, so that the next has a higher one.
    pub fn resigned(self) -> Held {
        Held { holder: None, ..self }
    }
}
