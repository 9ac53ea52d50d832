//! What needs somebody's attention now.

mod budgets;
mod keys;
mod models;

use super::{Operations, providers::judged};
use crate::{
    certificates::Expiring,
    state::{Node, Refusal},
};
use cliproxy_domain::{
    ConfigId, HealthState, NodeId, WallTime,
    status::{Alert, AlertsStatus, Source},
};
use cliproxy_engine::{Outlook, ProviderOutlook, status::all_rejected};
use cliproxy_host::tls::Expiry;

const CRITICAL: &str = "critical";
const WARNING: &str = "warning";

impl Operations {
    /// Tells what needs somebody's attention now, the worst first.
    pub(crate) fn alerts_status(&self) -> AlertsStatus {
        let now = self.state.clock.wall();
        let mut alerts = Vec::new();
        if !*self.state.database.borrow() {
            alerts.push(Alert {
                name: "store_unavailable",
                severity: CRITICAL,
                provider: None,
                since: None,
                budget: None,
                message: "the store does not answer; nodes go on by what they know, and nothing is kept"
                    .to_owned(),
            });
        }
        if let Some((config, why)) = self.state.unmade.lock().clone() {
            alerts.push(Alert {
                name: "configuration_unmade",
                severity: CRITICAL,
                provider: None,
                since: None,
                budget: None,
                message: format!(
                    "configuration {config} cannot be made by the control plane that answers, and its nodes are offered \
                     none: {why}"
                ),
            });
        }
        alerts.extend(providers(&self.state.outlook(), now));
        alerts.extend(models::unavailable(&self.load_balancing_status()));
        if let Some(active) = self.state.active() {
            alerts.extend(budgets::spent(&active.snapshot, &self.state.hints.passing(), now));
            alerts.extend(keys::expiring(&active.snapshot, &self.known_keys(), now));
        }
        alerts.extend(self.refusals());
        alerts.extend(self.shared_names());
        alerts.extend(self.certificates(now));
        alerts.sort_by_key(|alert| alert.severity != CRITICAL);
        AlertsStatus { source: Source::Cluster, as_of: now, alerts }
    }

    /// Tells of nodes that refused the configuration in force.
    fn refusals(&self) -> Vec<Alert> {
        let Some(active) = self.state.active() else { return Vec::new() };
        let mut alerts = Vec::new();
        for node in self.state.nodes.all() {
            let Some(refusal) = node.refusal.filter(|refusal| refusal.config == active.id) else { continue };
            alerts.push(Alert {
                name: "configuration_refused",
                severity: WARNING,
                provider: None,
                since: Some(refusal.at),
                budget: None,
                message: of_refusal(&node.record.node, &refusal),
            });
        }
        alerts
    }

    /// Tells of names under which more than one process is connected.
    fn shared_names(&self) -> impl Iterator<Item = Alert> {
        let of = |node: Node| {
            let (count, name) = (node.processes(), node.record.node);
            (count > 1).then(|| Alert {
                name: "node_name_shared",
                severity: WARNING,
                provider: None,
                since: None,
                budget: None,
                message: format!(
                    "{count} processes are connected as node {name}: the usage of each is counted, and only one of them is \
                     shown and told what it alone is to do; give each a certificate or `--node-name` and a data directory \
                     of its own, or end all but one"
                ),
            })
        };
        self.state.nodes.all().into_iter().filter_map(of)
    }

    /// Tells of certificates that expire, and of new ones that this replica cannot use.
    fn certificates(&self, now: WallTime) -> Vec<Alert> {
        let expiring = self.certificates.expiring(&self.state.nodes, now);
        let mut alerts: Vec<_> = expiring.iter().map(|it| of_certificate(it, now)).collect();
        alerts.extend(self.certificates.refused().map(|why| Alert {
            name: "certificate_refused",
            severity: WARNING,
            provider: None,
            since: None,
            budget: None,
            message: format!("the control plane goes on by its certificates of before: {why}"),
        }));
        alerts
    }
}

fn of_refusal(node: &NodeId, refusal: &Refusal) -> String {
    let Refusal { config, still_on, reason, again_at, .. } = refusal;
    let runs = match still_on {
        ConfigId(0) => "none yet".to_owned(),
        still_on => format!("configuration {still_on}"),
    };
    let remedy = match again_at {
        Some(at) => format!(
            "it is tried again at {at}, and at once when a configuration is sent, the same one too, or when the node is \
             ended in order and started"
        ),
        None => "send a configuration that it takes, or this one again once the node can take it".to_owned(),
    };
    format!("node {node} runs {runs} and refuses configuration {config}: {reason}; {remedy}")
}

fn of_certificate(expiring: &Expiring, now: WallTime) -> Alert {
    let Expiring { node, file, expiry, not_after } = expiring;
    let whose = match (node, file) {
        (Some(node), _) => format!("the certificate that node {node} is connected by"),
        (None, Some(file)) => format!("the control plane's {file}"),
        (None, None) => "the control plane's certificate".to_owned(),
    };
    let (name, severity, message) = match expiry {
        Expiry::Expired => (
            "certificate_expired",
            CRITICAL,
            format!("{whose} has expired; replace it: new connections fail"),
        ),
        near => {
            let severity = if *near == Expiry::Urgent { CRITICAL } else { WARNING };
            let hours = not_after.since(now).as_secs() / 3600;
            ("certificate_expiring", severity, format!("{whose} expires in {hours} h; renew it"))
        }
    };
    Alert { name, severity, provider: None, since: None, budget: None, message }
}

/// Tells of providers that do not answer, or that take none of their credentials.
fn providers(outlook: &Outlook, now: WallTime) -> Vec<Alert> {
    outlook.providers.iter().filter_map(|provider| of_provider(provider, now)).collect()
}

fn of_provider(provider: &ProviderOutlook, now: WallTime) -> Option<Alert> {
    let since = provider.health.as_ref().map(|health| health.since);
    let (state, why) = judged(Some(provider), now);
    let rejected = all_rejected(provider, now);
    let (name, since) = match state {
        HealthState::Failed => ("provider_failed", since),
        HealthState::Unhealthy if rejected => ("credentials_rejected", last_refused(provider)),
        HealthState::Unhealthy => ("provider_unhealthy", since),
        HealthState::Healthy | HealthState::Unknown => return None,
    };
    let provider = provider.name.clone();
    let message = if why.is_empty() {
        format!("{provider} is {}", state.as_str())
    } else {
        format!("{provider}: {why}")
    };
    Some(Alert { name, severity: CRITICAL, provider: Some(provider), since, budget: None, message })
}

/// Gives when the last of a provider's credentials was refused.
fn last_refused(provider: &ProviderOutlook) -> Option<WallTime> {
    provider.credentials.iter().filter_map(|known| known.rest.as_ref().map(|rest| rest.started_at)).max()
}
