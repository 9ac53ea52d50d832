//! Counts what each client asked for and took.
//!
//! Clients are of the configuration, so that labels are few; of very many the rest share one.

use cliproxy_domain::{ClientName, Snapshot, TokenUsage};
use cliproxy_observe::metrics::{Metrics, OTHER};
use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicU64},
};

/// Clients that have series of their own.
const MOST_SHOWN: usize = 1_000;

/// US dollars, which are no whole numbers.
type Dollars = Counter<f64, AtomicU64>;

/// Billionths of a US dollar in one.
const NANOS: f64 = 1e9;

/// Turns billionths of a US dollar into US dollars.
pub(super) fn dollars(nanos: u64) -> f64 {
    nanos as f64 / NANOS
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRequests {
    client: Arc<str>,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTokens {
    client: Arc<str>,
    r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCost {
    client: Arc<str>,
}

/// The counters of all clients.
pub(super) struct Clients {
    requests: Family<OfRequests, Counter>,
    tokens: Family<OfTokens, Counter>,
    cost: Family<OfCost, Dollars>,
    known: papaya::HashMap<ClientName, Arc<Counters>>,
    /// Locked while counters are made or dropped, so that none are made for a client that has just gone.
    in_force: Mutex<BTreeSet<ClientName>>,
}

/// The counters of one client.
pub(super) struct Counters {
    label: Arc<str>,
    succeeded: Counter,
    failed: Counter,
    input: Counter,
    output: Counter,
    cost: Dollars,
}

impl Counters {
    /// Counts a request that ended.
    pub(super) fn request(&self, succeeded: bool) {
        if succeeded {
            self.succeeded.inc()
        } else {
            self.failed.inc()
        };
    }

    /// Counts what one call took, and what that cost.
    pub(super) fn call(&self, usage: &TokenUsage, cost_nanos: u64) {
        self.input.inc_by(usage.input);
        self.output.inc_by(usage.output);
        self.cost.inc_by(dollars(cost_nanos));
    }
}

impl Clients {
    pub(super) fn registered(metrics: &Metrics) -> Self {
        let clients = Self {
            requests: Family::default(),
            tokens: Family::default(),
            cost: Family::default(),
            known: papaya::HashMap::new(),
            in_force: Mutex::default(),
        };
        metrics.register(|registry| {
            registry.register(
                "client_requests",
                "Requests by the client that asked, and how they ended",
                clients.requests.clone(),
            );
            registry.register(
                "client_tokens",
                "Tokens by the client that asked, as providers reported them, or as we estimated them",
                clients.tokens.clone(),
            );
            registry.register(
                "client_cost_usd",
                "What providers charge for what a client asked for, by the prices that are known",
                clients.cost.clone(),
            );
        });
        clients
    }

    /// Gives the counters of a client; none for one that is not configured any more.
    pub(super) fn get(&self, client: &ClientName) -> Option<Arc<Counters>> {
        let known = self.known.pin();
        if let Some(counters) = known.get(client) {
            return Some(Arc::clone(counters));
        }
        let in_force = self.in_force.lock();
        let place = in_force.iter().position(|name| name == client)?;
        let label: Arc<str> = if place < MOST_SHOWN { client.as_str().into() } else { OTHER.into() };
        Some(Arc::clone(known.get_or_insert_with(client.clone(), || Arc::new(self.counters(label)))))
    }

    /// Drops the counters of clients that `snapshot` does not have.
    pub(super) fn adopt(&self, snapshot: &Snapshot) {
        let mut in_force = self.in_force.lock();
        *in_force = snapshot.clients.keys().cloned().collect();
        let known = self.known.pin();
        let gone: Vec<_> = known.iter().filter(|(name, _)| !in_force.contains(*name)).collect();
        let shared = |label: &str| label == OTHER;
        for (name, counters) in gone {
            if !shared(&counters.label) {
                self.remove(&counters.label);
            }
            known.remove(name);
        }
    }

    fn counters(&self, label: Arc<str>) -> Counters {
        let requests =
            |status| self.requests.get_or_create_owned(&OfRequests { client: label.clone(), status });
        let tokens = |r#type| self.tokens.get_or_create_owned(&OfTokens { client: label.clone(), r#type });
        Counters {
            succeeded: requests("success"),
            failed: requests("error"),
            input: tokens("input"),
            output: tokens("output"),
            cost: self.cost.get_or_create_owned(&OfCost { client: label.clone() }),
            label,
        }
    }

    fn remove(&self, label: &Arc<str>) {
        for status in ["success", "error"] {
            self.requests.remove(&OfRequests { client: label.clone(), status });
        }
        for r#type in ["input", "output"] {
            self.tokens.remove(&OfTokens { client: label.clone(), r#type });
        }
        self.cost.remove(&OfCost { client: label.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(names: impl IntoIterator<Item = String>) -> Snapshot {
        let client = |name: String| {
            let client = cliproxy_domain::Client {
                name: name.as_str().into(),
                keys: Vec::new(),
                models: Vec::new(),
                providers: Vec::new(),
                tags: Default::default(),
                rate_limit: Default::default(),
                budgets: Vec::new(),
                priority: Default::default(),
            };
            (client.name.clone(), client)
        };
        Snapshot { clients: names.into_iter().map(client).collect(), ..Snapshot::default() }
    }

    fn count(clients: &Clients, name: &str) -> bool {
        let counters = clients.get(&name.into());
        counters.iter().for_each(|counters| counters.request(true));
        counters.is_some()
    }

    #[test]
    fn the_series_of_a_client_go_with_it() {
        let metrics = Metrics::new();
        let clients = Clients::registered(&metrics);
        clients.adopt(&snapshot(["a".to_owned(), "b".to_owned()]));
        assert!(count(&clients, "a") && count(&clients, "b") && !count(&clients, "stranger"));
        clients.adopt(&snapshot(["b".to_owned()]));
        assert!(!count(&clients, "a"), "what ends after its client has gone brings nothing back");
        let text = metrics.encode();
        assert!(!text.contains("client=\"a\""), "{text}");
        assert!(text.contains("cliproxy_client_requests_total{client=\"b\",status=\"success\"} 1"), "{text}");
    }

    #[test]
    fn of_very_many_clients_the_rest_share_one_label() {
        let metrics = Metrics::new();
        let clients = Clients::registered(&metrics);
        let all: Vec<String> = (0..MOST_SHOWN + 2).map(|number| format!("c{number:05}")).collect();
        clients.adopt(&snapshot(all.clone()));
        assert!(all.iter().all(|name| count(&clients, name)));
        let other = "cliproxy_client_requests_total{client=\"other\",status=\"success\"} 2";
        assert!(metrics.encode().contains(other));
        clients.adopt(&snapshot(all[..MOST_SHOWN].iter().cloned()));
        assert!(metrics.encode().contains(other), "what was counted stays");
    }
}
