//! The cluster, and one 429 in it.

use super::{figures::Found, load::Load};
use anyhow::{Context, bail, ensure};
use cliproxy_testkit::{
    Client, Config, Launch, Process,
    mock::{Behaviour, Hint, Key, Log, MockProvider, Rule, Script},
    now, provider,
};
use serde_json::json;
use std::{net::SocketAddr, path::Path, time::Duration};

/// The provider that B's requests go to once the other rests.
const SPARE: &str = "spare";
/// What is asked for to be refused.
const TRIP: &str = "trip";
/// Calls of B with a credential before it is refused.
const WARM: u64 = 25;
/// B has stopped when it called elsewhere for so long.
const QUIET: Duration = Duration::from_millis(250);
/// A trial that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(5);

/// The processes, and the provider that they call.
pub(super) struct Cluster {
    a: Client,
    pub(super) b: Client,
    mock: MockProvider,
    _processes: [Process; 3],
}

impl Cluster {
    /// Starts it, with a credential for each trial.
    pub(super) async fn start(executable: &Path, trials: u32) -> Self {
        let mock = upstream(trials);
        let program = executable.display().to_string();
        let config = config(&mock, trials);
        let control = Launch::new(&program, "controlplane").config(config).ready().await;
        let nodes = control.nodes().await;
        let (a, b) = tokio::join!(node(&program, "a", nodes), node(&program, "b", nodes));
        Self { a: a.client().await, b: b.client().await, mock, _processes: [control, a, b] }
    }

    /// Has A's call with a credential refused while B calls with it, and reads off the provider's log when B stopped.
    ///
    /// # Errors
    /// When B did not call with it before, or goes on to.
    pub(super) async fn trial(&self, load: &Load, number: u32) -> anyhow::Result<Found> {
        let hot = hot(number);
        self.mock.clear_log();
        load.turn_to(number);
        self.until("calls of B", |log| log.of_key(&hot).completed >= WARM).await?;
        let answer = self.a.json("/v1/chat/completions", request(&format!("{hot}/{TRIP}"))).send().await?;
        ensure!(answer.status == 429, "A was answered {}: {}", answer.status, answer.text());
        let quiet = u64::try_from(QUIET.as_micros()).unwrap_or(u64::MAX);
        let stopped = |log: &Log| {
            let last = log.last_started_us(&hot).unwrap_or(u64::MAX);
            log.last_started_us(SPARE).is_some_and(|spare| spare >= last.saturating_add(quiet))
        };
        let log = self.until("end of B's calls", stopped).await?;
        read(&log, &hot)
    }

    async fn until(&self, what: &str, holds: impl Fn(&Log) -> bool) -> anyhow::Result<Log> {
        let deadline = now() + PATIENCE;
        loop {
            let log = self.mock.log();
            if holds(&log) {
                return Ok(log);
            }
            if now() > deadline {
                bail!("within {PATIENCE:?} there was no {what}");
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Finds the 429 and the calls that began after its end.
fn read(log: &Log, hot: &str) -> anyhow::Result<Found> {
    let of_hot = || log.entries.iter().filter(|entry| *entry.key == *hot);
    let refused = of_hot().find(|entry| &*entry.model == TRIP).context("the 429 is not in the log")?;
    let late = || of_hot().map(|entry| entry.started_us).filter(|started| *started > refused.finished_us);
    let last = late().max().unwrap_or(refused.finished_us);
    Ok(Found { delay: Duration::from_micros(last - refused.finished_us), calls: late().count() })
}

fn hot(number: u32) -> String {
    format!("hot{number}")
}

fn key_of(name: &str) -> String {
    format!("sk-{name}")
}

/// A request for `model`, of OpenAI's chat completions.
pub(super) fn request(model: &str) -> String {
    json!({"model": model, "messages": [{"role": "user", "content": "hi"}]}).to_string()
}

fn upstream(trials: u32) -> MockProvider {
    let names = (0..trials).map(hot).chain([SPARE.to_owned()]);
    let keys = names.map(|name| Key { key: key_of(&name), name }).collect();
    let hint = Hint { retry_after_s: Some(3_000), ..Hint::default() };
    let rules = vec![Rule::new(Behaviour::rate_limit(hint)).for_model(TRIP)];
    provider("up", Script { keys: Some(keys), rules, ..Script::default() })
}

/// A provider with one credential for each trial, and a name for it that falls back to the spare one.
fn config(mock: &MockProvider, trials: u32) -> Config {
    let add = |config: Config, name: &str| {
        let value = json!({"kind": "openai", "base_url": mock.base_url(), "api_key": key_of(name)});
        config.set(&["providers", name], value)
    };
    (0..trials).fold(add(Config::new(), SPARE), |config, number| {
        let targets = json!([
            {"provider": hot(number), "model": "m", "priority": 1},
            {"provider": SPARE, "model": "m", "priority": 2},
        ]);
        add(config, &hot(number)).set(&["models", &format!("t{number}"), "targets"], targets)
    })
}

async fn node(program: &str, name: &str, control: SocketAddr) -> Process {
    let endpoints = format!("control_plane.endpoints=[\"http://{control}\"]");
    Launch::new(program, "dataplane").arg("--node-name").arg(name).arg("--set").arg(endpoints).ready().await
}
