//! What providers charge.

use super::{OperationError, Operations};
use cliproxy_domain::status::{PriceStatus, PricesStatus, ProviderPrices, Source};

impl Operations {
    /// Tells what each configured provider charges, and where the figures come from.
    ///
    /// # Errors
    /// Fails before a configuration was applied.
    pub(crate) fn prices_status(&self) -> Result<PricesStatus, OperationError> {
        let active = self.active()?;
        let providers = active.snapshot.providers.values().map(|provider| {
            let prices = provider.prices.iter().map(PriceStatus::of).collect();
            (provider.name.clone(), ProviderPrices { prices })
        });
        Ok(PricesStatus {
            source: Source::Cluster,
            as_of: self.state.clock.wall(),
            providers: providers.collect(),
        })
    }
}
