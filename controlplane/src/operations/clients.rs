//! Clients: what they may, how much they used, and their keys.

use super::{OperationError, Operations};
use cliproxy_domain::{
    Client, RateLimits,
    status::{BudgetStatus, ClientStatus, ClientsStatus, RateLimitStatus, Source},
};

impl Operations {
    /// Tells of all clients that are configured, and of those that were and of whom keys are remembered.
    ///
    /// # Errors
    /// Fails before a configuration was applied.
    pub(crate) async fn clients_status(&self) -> Result<ClientsStatus, OperationError> {
        let limits = self.limits().await;
        let (active, now) = (self.active()?, self.state.clock.wall());
        let snapshot = &active.snapshot;
        let known = self.known_keys();
        let mut status = ClientsStatus { source: Source::Cluster, as_of: now, ..ClientsStatus::default() };
        let names = snapshot.clients.keys().chain(known.strangers(snapshot));
        for name in names {
            let client = snapshot.clients.get(name);
            let keys = known.of(name, client, now);
            let keys = keys.iter().map(|key| key.status(now)).collect();
            let budgets = client.map(|client| limits.of_client(client)).unwrap_or_default().into_iter();
            // Who holds parts of them is told with the quotas.
            let budgets = budgets.map(|budget| BudgetStatus { holders: Vec::new(), ..budget });
            let told = client.map(told).unwrap_or_default();
            let budgets = budgets.collect();
            status.clients.insert(name.clone(), ClientStatus { keys, budgets, ..told });
        }
        Ok(status)
    }
}

fn told(client: &Client) -> ClientStatus {
    ClientStatus {
        configured: true,
        tags: client.tags.clone(),
        models: client.models.iter().map(ToString::to_string).collect(),
        providers: client.providers.clone(),
        priority: client.priority,
        rate_limit: (!client.rate_limit.is_empty()).then(|| rate_limit(&client.rate_limit)),
        budgets: Vec::new(),
        keys: Vec::new(),
    }
}

fn rate_limit(limits: &RateLimits) -> RateLimitStatus {
    RateLimitStatus {
        requests_per_minute: limits.requests_per_minute,
        tokens_per_minute: limits.tokens_per_minute,
        concurrent_requests: limits.concurrent_requests,
        on_loss: limits.on_loss,
    }
}
