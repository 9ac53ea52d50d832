//! What end-to-end tests stand on: real processes of the gateway, clients that show exactly what came back,
//! simulated providers, and readers for what the gateway tells of itself.
//!
//! In the order in which a test meets them: `config` writes a configuration, `process` runs the program with it over
//! the database of `postgres` where several share one, `client` and `raw` call it, `recorder` and the mock provider
//! answer it, over a `gate` where its way out is to break, `metrics` reads its counters, `poll` waits for what comes
//! later. The harness panics where it cannot do its work, so that the test stops there.

pub mod books;
pub mod client;
mod clock;
pub mod cluster;
pub mod config;
pub mod dice;
pub mod fleet;
pub mod gate;
pub mod metrics;
pub mod network;
pub mod poll;
pub mod postgres;
pub mod process;
pub mod raw;
pub mod recorder;
pub mod rounds;
pub mod traffic;

pub use self::{
    client::{Answer, Client, Event, Stream},
    clock::now,
    cluster::{Cluster, Layout},
    config::Config,
    dice::Dice,
    fleet::Fleet,
    gate::{Flow, Gate},
    metrics::Samples,
    network::{Network, Place},
    poll::{LONG_PATIENCE, PATIENCE, poll_every, poll_until},
    postgres::{Postgres, ScratchDatabase},
    process::{Launch, Process},
    raw::Raw,
    recorder::Recorder,
    traffic::{Plan, Record, Traffic},
};
pub use cliproxy_mock_provider as mock;

use cliproxy_mock_provider::{MockOptions, MockProvider, Script};

/// Starts a simulated provider that plays all families on a free loopback port.
///
/// # Panics
/// When the script is refused or no port is free.
pub fn provider(name: &str, script: impl Into<Script>) -> MockProvider {
    let options = MockOptions { name: name.to_owned(), script: script.into(), ..MockOptions::default() };
    match MockProvider::start(options) {
        Ok(mock) => mock,
        Err(error) => panic!("the simulated provider {name} could not be started: {error}"),
    }
}
