//! The share of time in which each provider was well, over a day.

use super::Operations;
use cliproxy_domain::{ProviderName, WallTime};
use cliproxy_store::StoreError;
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

/// Over which time uptime is told.
const SPAN: Duration = Duration::from_secs(24 * 60 * 60);
/// How old a remembered uptime may be. It moves once a minute, and the sum over a day is not free.
const AGE: Duration = Duration::from_secs(1);

/// The shares, 0 to 1, and when they were asked of the store.
pub(super) struct Uptime {
    asked: Instant,
    shares: Arc<BTreeMap<ProviderName, f64>>,
}

impl Operations {
    /// Gives the uptimes, asked of the store at most once a second: of a provider that was probed the share of probes
    /// that it passed, else the share of minutes with calls in which it answered.
    ///
    /// # Errors
    /// Fails when the store never told them; once it has, what it said last is used while it is away.
    pub(super) async fn uptimes(&self) -> Result<Arc<BTreeMap<ProviderName, f64>>, StoreError> {
        let now = self.state.clock.now();
        let known = self.uptime.lock().as_ref().map(|known| (known.asked, Arc::clone(&known.shares)));
        if let Some((asked, shares)) = &known
            && now.saturating_duration_since(*asked) < AGE
        {
            return Ok(Arc::clone(shares));
        }
        let wall = self.state.clock.wall();
        // A minute belongs to the range that holds its beginning, so the one that runs is within.
        let minutes = wall.minus(SPAN)..wall.plus(Duration::from_millis(1));
        match (self.ask_uptimes(minutes).await, known) {
            (Ok(shares), _) => {
                let shares = Arc::new(shares);
                *self.uptime.lock() = Some(Uptime { asked: now, shares: Arc::clone(&shares) });
                Ok(shares)
            }
            (Err(error), Some((_, shares))) => {
                tracing::warn!(%error, "the store did not tell the uptimes; showing what it said before");
                Ok(shares)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn ask_uptimes(&self, minutes: Range<WallTime>) -> Result<BTreeMap<ProviderName, f64>, StoreError> {
        let mut shares = self.state.store.answered_share(minutes.clone()).await?;
        for (provider, (checks, passed)) in self.state.store.checks(minutes).await? {
            if checks > 0 {
                shares.insert(provider, passed as f64 / checks as f64);
            }
        }
        Ok(shares)
    }
}
