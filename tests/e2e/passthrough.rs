//! A request and its answer pass between a client and a provider of its own dialect as they are.

mod answers;
mod fixtures;
mod headers;
mod lists;
mod requests;

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{Client, Config, Launch, Process};

/// A gateway in front of one upstream that plays all kinds, under every model's name.
async fn gateway(base_url: &str) -> (Process, Client) {
    let mut config = Config::new();
    for api in Api::ALL {
        config = config.provider(api.kind(), api.kind(), base_url);
        config = config.set(&["providers", api.kind(), "models"], vec!["*"]);
    }
    for api in Api::ALL {
        config = config.alias(&smart(api), &[(api.kind(), "target-model")]);
    }
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;
    (gateway, client)
}

/// The alias for clients of one API: its target is of their kind.
fn smart(api: Api) -> String {
    format!("smart-{}", api.kind())
}
