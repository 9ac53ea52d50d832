//! Names for which no request can be served.

use super::CRITICAL;
use cliproxy_domain::status::{Alert, LoadBalancingStatus};

/// Tells of the models of the configuration none of whose targets takes requests.
pub(super) fn unavailable(status: &LoadBalancingStatus) -> Vec<Alert> {
    let without =
        status.models.iter().filter(|(_, model)| model.targets.iter().all(|target| !target.available));
    let alert = |name: &str| Alert {
        name: "model_unavailable",
        severity: CRITICAL,
        provider: None,
        since: None,
        budget: None,
        message: format!(
            "no target of the model {name} takes requests; GET /v0/operations/explain?model={name} says why and until \
             when, and POST /v0/operations/providers/{{provider}}/recover ends the rests of a provider that is back"
        ),
    };
    without.map(|(name, _)| alert(name.as_str())).collect()
}
