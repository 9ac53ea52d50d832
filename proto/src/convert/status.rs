//! What operators ask and are answered. Only the questions are read from the wire; nobody reads answers but operators.

mod asked;
mod balancing;
mod clients;
mod cluster;
mod configuring;
mod decision;
mod limits;
mod prices;
mod providers;
#[cfg(test)]
mod tests;
mod usage;

pub use asked::{
    audit_query_from_wire, create_key_from_wire, force_from_wire, question_from_wire, recover_from_wire,
    release_from_wire, revoke_key_from_wire, rotate_key_from_wire,
};
pub use balancing::load_balancing_to_wire;
pub use clients::{client_keys_to_wire, clients_to_wire, key_change_to_wire};
pub use cluster::{alerts_to_wire, audit_to_wire, nodes_to_wire};
pub use configuring::{applied_to_wire, check_to_wire, config_to_wire, configs_to_wire};
pub use decision::{explanation_to_wire, request_to_wire};
pub use limits::{quotas_to_wire, release_to_wire};
pub use prices::prices_to_wire;
pub use providers::{change_to_wire, cooldowns_to_wire, providers_to_wire};
pub use usage::{usage_asked_from_wire, usage_to_wire};
