//! `server.operations`: how load is spread, what rests and is healed, and who may operate.

mod balancing;
mod cooldown;
mod healing;
mod health;

pub use balancing::strategy;

use super::digest;
use crate::field::Field;
use cliproxy_domain::Policy;

/// Who may use the operations endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminToken {
    /// The name that the audit log shows, unique.
    pub name: String,
    /// What the holder may do: `operator`, which is everything.
    pub role: String,
    /// The SHA-256 of the token, so that the file does not hold the token itself.
    pub sha256: [u8; 32],
}

/// Reads what `operations` of `server` says of cooldown, health, self-healing and balancing into `policy`.
pub fn read_policy(server: &Field<'_>, policy: &mut Policy) {
    let Some(section) = server.section("operations") else { return };
    balancing::read(&section, policy);
    policy.cooldown = cooldown::read(&section);
    policy.health_check = health::read(&section);
    policy.self_healing = healing::read(&section);
}

/// Reads `operations.admin_tokens` of `server`.
pub fn read_admin_tokens(server: &Field<'_>) -> Vec<AdminToken> {
    let list = server.section("operations").and_then(|section| section.section("admin_tokens"));
    let mut tokens: Vec<AdminToken> = Vec::new();
    for item in list.map(|list| list.items()).unwrap_or_default() {
        let Some(token) = read_admin_token(&item) else { continue };
        if tokens.iter().any(|known| known.name == token.name) {
            item.child("name").unwrap_or(item).refuse("another token has this name; choose a different one");
            continue;
        }
        tokens.push(token);
    }
    tokens
}

fn read_admin_token(item: &Field<'_>) -> Option<AdminToken> {
    let name = match item.child("name") {
        Some(field) => field.text().map(|text| text.value),
        None => {
            item.refuse("`name` is missing; the audit log shows it");
            None
        }
    };
    // One role today. Another word is refused rather than taken for full rights.
    let role = match item.child("role") {
        Some(field) => field.choice("role", &[("operator", "operator")]),
        None => Some("operator"),
    };
    let sha256 = match item.child("sha256") {
        Some(field) => digest::read(&field),
        None => {
            item.refuse("`sha256` is missing; make it with `printf %s TOKEN | sha256sum | cut -d' ' -f1`");
            None
        }
    };
    Some(AdminToken { name: name?, role: role?.to_owned(), sha256: sha256? })
}
