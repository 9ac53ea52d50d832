//! `cliproxy demo`: the whole product on one machine, with simulated providers, a little traffic of its own, and
//! an outage now and then, so that failover can be watched.

mod configuration;
mod guide;
mod outage;
mod traffic;

use super::{serve, setup, signals};
use crate::{cli::Demo, terminal};
use anyhow::Context as _;
use cliproxy_config::{Environment, Load, Purpose};
use cliproxy_mock_provider::{Latency, MockOptions, MockProvider, Rule, Script};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};
use tokio::{io::AsyncWriteExt as _, net::TcpListener, sync::oneshot};

/// The simulated providers' names, as the configuration has them.
const PROVIDERS: [&str; 3] = ["north", "south", "west"];

/// Runs until SIGINT or SIGTERM.
pub async fn run(arguments: &Demo) -> anyhow::Result<()> {
    setup::install_tls_provider();
    let shutdown = signals::shutdown()?;
    let folder =
        tempfile::Builder::new().prefix("cliproxy-demo-").tempdir().context("a folder for the demo")?;
    let mocks = start_mocks()?;
    let ports = configuration::Ports {
        clients: match arguments.listen {
            Some(given) => given,
            None => usual_or_free(8317).await,
        },
        operators: usual_or_free(8318).await,
        nodes: usual_or_free(8319).await,
    };
    let file = folder.path().join("config.yaml");
    write_for_owner(&file, &configuration::text(folder.path(), ports, &mocks)).await?;
    let request = Load {
        file: Some(file),
        overrides: Vec::new(),
        data_dir: folder.path().to_owned(),
        environment: Environment::process(),
        wall: setup::wall,
        purpose: Purpose::Any,
    };
    let (loaded, log) = setup::start(&request)?;
    let (ready, running) = oneshot::channel();
    let (data_dir, stop) = (folder.path().to_owned(), shutdown.clone());
    let gateway =
        tokio::spawn(async move { serve::both(loaded, request, &data_dir, &log, stop, Some(ready)).await });
    let Ok(running) = running.await else {
        // It ended before it was ready: it says why.
        return gateway.await?;
    };
    terminal::say(&guide::text(folder.path(), &running));
    let progress = Arc::new(traffic::Progress::default());
    let outage = tokio::spawn(outage::now_and_then(mocks, Arc::clone(&progress), shutdown.clone()));
    let traffic = tokio::spawn(traffic::run(running.clients, Arc::clone(&progress), shutdown.clone()));
    shutdown.cancelled().await;
    terminal::say("stopping: open streams are finished first; the configuration and the log are removed");
    traffic.await?;
    let mocks = outage.await?;
    let ended = gateway.await?;
    for mock in mocks {
        mock.stop().await;
    }
    ended
}

/// Writes a file that only its owner can read, as files with keys should be.
async fn write_for_owner(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = tokio::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).await?;
    file.write_all(text.as_bytes()).await?;
    Ok(file.flush().await?)
}

/// Starts the simulated providers. Each speaks all three families, at a pace that a person can follow.
fn start_mocks() -> anyhow::Result<Vec<MockProvider>> {
    PROVIDERS
        .iter()
        .map(|name| {
            let options =
                MockOptions { name: (*name).to_owned(), script: healthy(), ..MockOptions::default() };
            MockProvider::start(options).with_context(|| format!("the simulated provider {name}"))
        })
        .collect()
}

/// Answers every request, a word at a time.
fn healthy() -> Script {
    let latency = Latency { time_to_first_token_ms: 120, per_token_ms: 25, ..Latency::default() };
    Script { rules: vec![Rule::new(Default::default()).latency(latency)], ..Script::default() }
}

/// Gives the usual port, or a free one when it is taken.
async fn usual_or_free(port: u16) -> SocketAddr {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(usual).await {
        Ok(_) => usual,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}
