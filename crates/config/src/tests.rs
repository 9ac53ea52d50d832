//! What a configuration may say and what it is told when it says something else.

mod auths;
mod clients;
mod control_plane;
mod documents;
mod failover;
mod guide;
mod inputs;
mod model_traits;
mod observable;
mod operations;
mod overrides;
mod profiles;
mod providers;
mod quotas;
mod reports;
mod sections;
mod spending;
mod translation;

use crate::{Config, Environment, Load, Purpose, load_text};
use cliproxy_domain::WallTime;
use std::path::PathBuf;

/// When the tests read what they read: 2026-11-22, at midnight.
const NOW: WallTime = WallTime(1_795_305_600_000);

/// The variables that the tests know.
fn environment() -> Environment {
    Environment::fixed([
        ("ANTHROPIC_API_KEY", "anthropic-secret"),
        ("ANTHROPIC_API_KEY_2", "anthropic-secret-2"),
        ("OPENAI_API_KEY", "openai-secret"),
        ("GEMINI_API_KEY", "gemini-secret"),
        ("CLIPROXY_ADMIN_TOKEN_SHA256", "ab".repeat(32).as_str()),
        ("SLACK_WEBHOOK_URL", "https://hooks.example.com/slack-secret"),
        ("PAGERDUTY_API_KEY", "pagerduty-secret"),
        ("EMPTY", ""),
        ("TEN", "10"),
        ("YES", "true"),
        ("BAD", "variable-content"),
    ])
}

/// A request without a file, with the tests' variables.
fn request() -> Load {
    Load {
        file: None,
        overrides: Vec::new(),
        data_dir: PathBuf::from("./data"),
        environment: environment(),
        wall: || NOW,
        purpose: Purpose::Any,
    }
}

/// Loads a text that has to be accepted.
fn accept(text: &str) -> Config {
    load_text("config.yaml", text, &request()).unwrap_or_else(|error| panic!("refused:\n{error}"))
}

/// Loads a text that has to be refused, and gives what the user sees.
fn refuse(text: &str) -> String {
    match load_text("config.yaml", text, &request()) {
        Ok(config) => panic!("accepted: {config:?}"),
        Err(error) => error.to_string(),
    }
}

/// Loads a text that has to be refused, and gives place and message of each report.
fn places(text: &str) -> Vec<(usize, usize, String)> {
    let error = load_text("config.yaml", text, &request()).expect_err("the text is wrong");
    error
        .reports()
        .iter()
        .map(|report| {
            let place = report.place.as_ref().expect("the report has a place");
            (place.line, place.column, report.message.clone())
        })
        .collect()
}
