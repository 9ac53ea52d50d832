//! All limits of a configuration, by name.

use crate::{
    balancing::Quota,
    limit::{BudgetId, LimitSubject, LossMode, RateId, RateKind, RateLimits},
    snapshot::Snapshot,
};

impl Snapshot {
    /// Gives every budget that is configured: of providers, of credentials and of clients.
    pub fn budgets(&self) -> impl Iterator<Item = (BudgetId, &Quota)> {
        let providers = self.providers.values().flat_map(|provider| {
            let whole =
                provider.quota.iter().map(|quota| (LimitSubject::Provider(provider.name.clone()), quota));
            let credentials = provider.credentials.iter().filter_map(|credential| {
                let subject = LimitSubject::Credential(provider.name.clone(), credential.name.clone());
                Some((subject, credential.quota.as_ref()?))
            });
            whole.chain(credentials)
        });
        let clients = self.clients.values().flat_map(|client| {
            client.budgets.iter().map(|quota| (LimitSubject::Client(client.name.clone()), quota))
        });
        providers.chain(clients).map(|(subject, quota)| (BudgetId { subject, unit: quota.unit }, quota))
    }

    /// Finds a budget.
    pub fn budget(&self, id: &BudgetId) -> Option<&Quota> {
        let of_unit = |quota: &&Quota| quota.unit == id.unit;
        match &id.subject {
            LimitSubject::Provider(provider) => self.providers.get(provider)?.quota.as_ref().filter(of_unit),
            LimitSubject::Credential(provider, name) => {
                let credentials = &self.providers.get(provider)?.credentials;
                let credential = credentials.iter().find(|credential| credential.name == *name)?;
                credential.quota.as_ref().filter(of_unit)
            }
            LimitSubject::Client(client) => self.clients.get(client)?.budgets.iter().find(of_unit),
        }
    }

    /// Gives every rate that is configured, with its limit and what a node does that hears no control plane.
    pub fn rates(&self) -> impl Iterator<Item = (RateId, u64, LossMode)> {
        let credentials = self.providers.values().flat_map(|provider| {
            provider.credentials.iter().map(|credential| {
                let subject = LimitSubject::Credential(provider.name.clone(), credential.name.clone());
                (subject, &credential.rate_limit)
            })
        });
        let clients = self
            .clients
            .values()
            .map(|client| (LimitSubject::Client(client.name.clone()), &client.rate_limit));
        credentials.chain(clients).flat_map(|(subject, limits)| of(&subject, limits))
    }
}

fn of(subject: &LimitSubject, limits: &RateLimits) -> Vec<(RateId, u64, LossMode)> {
    let limit = |kind| Some((RateId { subject: subject.clone(), kind }, limits.of(kind)?, limits.on_loss));
    RateKind::ALL.into_iter().filter_map(limit).collect()
}
