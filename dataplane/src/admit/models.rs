//! Which models a client may ask for.

use crate::{decode::Call, refusal::Refusal};
use cliproxy_domain::{Client, ClientName, ErrorClass, ModelPattern, Snapshot};

/// Patterns that are told one by one; of more only their number.
const MOST_TOLD: usize = 20;

/// Admits a call for one of the models that its client may ask for.
///
/// # Errors
/// 403 for another model, naming those.
pub fn may_ask(call: &Call, snapshot: &Snapshot) -> Result<(), Refusal> {
    if call.caller.may_ask_for(&call.model, snapshot) {
        return Ok(());
    }
    let client = call.caller.client.as_deref();
    let name = call.caller.name().map_or("", ClientName::as_str);
    let message = format!(
        "client {name} may not ask for the model `{}`: it may ask for {}",
        call.model.as_str().chars().take(100).collect::<String>(),
        told(client)
    );
    Err(Refusal::new(ErrorClass::Permission, message)
        .with_code("model_not_allowed")
        .with_param(Some("model")))
}

fn told(client: Option<&Client>) -> String {
    let models: &[ModelPattern] = client.map_or(&[], |client| &client.models);
    let mut told: Vec<String> = models.iter().take(MOST_TOLD).map(|model| format!("`{model}`")).collect();
    if models.len() > MOST_TOLD {
        told.push(format!("{} more", models.len() - MOST_TOLD));
    }
    told.join(", ")
}
