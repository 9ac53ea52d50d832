//! `server.operations`: how load is spread, and who may operate.

use crate::field::Field;
use cliproxy_domain::Strategy;

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

/// The strategies that the guide names and that are still to come.
const LATER_STRATEGIES: [&str; 3] = ["quota_aware", "latency", "cost"];

/// Reads `operations.load_balancing.strategy` of `server`.
pub fn read_strategy(server: &Field<'_>) -> Strategy {
    server
        .section("operations")
        .and_then(|section| section.section("load_balancing"))
        .and_then(|section| section.child("strategy"))
        .and_then(|field| strategy(&field))
        .unwrap_or_default()
}

/// Reads the name of a strategy.
pub fn strategy(field: &Field<'_>) -> Option<Strategy> {
    let text = field.text()?;
    if text.value == Strategy::RoundRobin.as_str() {
        return Some(Strategy::RoundRobin);
    }
    if LATER_STRATEGIES.contains(&text.value.as_str()) {
        field.refuse(format!("the strategy {} is not available yet; write `round_robin`", field.shown()));
        return None;
    }
    let known = [Strategy::RoundRobin.as_str()].into_iter().chain(LATER_STRATEGIES);
    field.refuse(format!("unknown strategy {}; {}", field.shown(), text.advice(known)));
    None
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
        Some(field) => read_sha256(&field),
        None => {
            item.refuse("`sha256` is missing; make it with `printf %s TOKEN | sha256sum | cut -d' ' -f1`");
            None
        }
    };
    Some(AdminToken { name: name?, role: role?.to_owned(), sha256: sha256? })
}

/// Reads 64 hexadecimal digits. The value is not shown: a mistaken one may be the token itself.
fn read_sha256(field: &Field<'_>) -> Option<[u8; 32]> {
    let text = field.text()?;
    let mut digest = [0; 32];
    if hex::decode_to_slice(text.value.trim(), &mut digest).is_err() {
        field.refuse(
            "expected 64 hexadecimal digits; make them with `printf %s TOKEN | sha256sum | cut -d' ' -f1`",
        );
        return None;
    }
    Some(digest)
}
