//! A provider that fails costs no request where another can serve it, and what is told of it is true.

mod late;
mod rests;
mod storm;
mod verdicts;

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Client, Config, Launch, Process,
    mock::{Key, MockProvider, Script},
    provider,
};

/// A gateway that has for each API an alias, [`smart`], with a target at each of these upstreams, named
/// `<kind>-<upstream>`: of failover between kinds the subject is `translation`.
async fn gateway(upstreams: &[(&str, &MockProvider)], config: Config) -> (Process, Client) {
    let mut config = config;
    for kind in ["openai", "anthropic", "gemini"] {
        let mut names = Vec::new();
        for (upstream, mock) in upstreams {
            let name = format!("{kind}-{upstream}");
            config = config.provider(&name, kind, &mock.base_url());
            names.push(name);
        }
        let targets: Vec<_> = names.iter().map(|name| (name.as_str(), "m")).collect();
        config = config.alias(&format!("smart-{kind}"), &targets);
    }
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;
    (gateway, client)
}

/// A configuration in which nothing rests by itself and every failure is tried again: what is told of a provider that
/// fails can then be held against all that it has seen. That rests and a budget for retries are on otherwise, has
/// tests of its own.
fn relentless() -> Config {
    Config::new()
        .set(&["server", "operations", "cooldown", "enabled"], false)
        .set(&["server", "retries", "budget_percent"], 100)
}

/// The alias for clients of one API.
fn smart(api: Api) -> String {
    format!("smart-{}", api.kind())
}

/// An upstream with the keys `sk-<name>`, known to rules and log by their names.
fn with_keys(names: &[&str]) -> MockProvider {
    let keys = names.iter().map(|name| Key { name: (*name).into(), key: format!("sk-{name}") }).collect();
    provider("up", Script { keys: Some(keys), ..Script::default() })
}

/// Requests in all APIs by turns, every second time around as streams.
fn request(turn: usize) -> (Api, bool) {
    (Api::ALL[turn % 4], turn / 4 % 2 == 1)
}
