//! `translation`: what becomes of requests whose provider speaks another API than the client.

use super::choices;
use crate::field::Field;
use cliproxy_domain::{OnLoss, TranslationPolicy, UnsupportedTools};

/// The most tokens that anything in the file may name; far above what any model writes.
pub const MOST_TOKENS: u64 = 1_000_000_000;

/// Reads the section.
pub fn read(root: &Field<'_>) -> TranslationPolicy {
    let mut policy = TranslationPolicy::default();
    let Some(section) = root.section("translation") else { return policy };
    let on_loss = choices(OnLoss::ALL, OnLoss::as_str);
    if let Some(choice) = section.child("on_loss").and_then(|field| field.choice("choice", &on_loss)) {
        policy.on_loss = choice;
    }
    let tools = choices(UnsupportedTools::ALL, UnsupportedTools::as_str);
    if let Some(choice) = section.child("unsupported_tools").and_then(|field| field.choice("choice", &tools))
    {
        policy.unsupported_tools = choice;
    }
    if let Some(tokens) = section.child("default_max_tokens").and_then(|field| field.number(1..=MOST_TOKENS))
    {
        policy.default_max_tokens = tokens;
    }
    policy
}
