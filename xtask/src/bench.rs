//! Measures what the gateway costs beside a bare proxy: paired, in one run, on loopback.
//!
//! One run starts an upstream, a proxy that only copies, and the gateway, each as a process of its own. Every
//! round sends the same requests down each path, in an order that changes, and reads each proxy's own CPU time.
//! See `docs/reference/benchmarks.md`.

mod answer;
pub(crate) mod bare;
mod client;
pub(crate) mod cpu;
mod driver;
pub(crate) mod process;
mod role;
mod scenario;
mod table;
pub(crate) mod upstream;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use client::Client;
use process::{Limits, Plane, Server};
use scenario::{Kind, Scenario};
use std::{io::Write, net::SocketAddr, ops::Index, sync::Arc, time::Duration};
use table::Table;
use tokio::signal::unix::{SignalKind, signal};

/// How long after the last answer a proxy's accounting may still be at work when its cost is read.
const SETTLE: Duration = Duration::from_millis(100);

/// What `cargo xtask bench` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Measure a fraction, in three rounds: a look, not a result.
    #[arg(long)]
    quick: bool,
    /// How many rounds [default: 5, or 3 with --quick].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Measure only these scenarios [default: all].
    #[arg(long = "scenario", value_enum)]
    scenarios: Vec<Kind>,
    /// Which of the gateway's commands to measure.
    #[arg(long, value_enum, default_value = "serve")]
    plane: Plane,
    /// Take the gateway's release executable as it is.
    #[arg(long)]
    no_build: bool,
    /// Measure the bare proxy alone.
    #[arg(long, conflicts_with_all = ["plane", "no_build"])]
    without_gateway: bool,
}

/// The way that requests take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Straight,
    Bare,
    /// Through the gateway, in the upstream's dialect.
    Gateway,
    /// Through the gateway, in another dialect.
    Translated,
    /// Through a gateway that holds the same requests to limits: of their client, their credential and their provider.
    Limited,
}

/// What one round found on one path.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    /// None where there is no proxy.
    cpu_seconds: Option<f64>,
    /// How long the closed loop took.
    seconds: f64,
    p50_us: f64,
    p99_us: f64,
}

/// What one round found.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    straight: Measured,
    bare: Measured,
    gateway: Measured,
    translated: Measured,
    limited: Measured,
}

struct Servers {
    upstream: Server,
    bare: Server,
    gateways: Option<Gateways>,
}

struct Gateways {
    free: Server,
    limited: Server,
}

/// Runs the benchmark and prints its table. Every process that it started has ended when it returns.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = measure_all(options) => done,
        _ = terminate.recv() => anyhow::bail!("terminated"),
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    }
}

async fn measure_all(options: Options) -> anyhow::Result<()> {
    let mut servers = Servers::start(&options).await?;
    let paths = servers.paths();
    let rounds = options.rounds.unwrap_or(if options.quick { 3 } else { 5 });
    let kinds = if options.scenarios.is_empty() { Kind::value_variants() } else { &options.scenarios };
    say(format_args!("load average at the start: {}", cpu::load_average()))?;
    let mut table = Table::new();
    for &kind in kinds {
        let scenarios = Scenarios::new(kind, options.quick);
        let expected = servers.expected(&scenarios).await?;
        let mut found = Vec::new();
        for number in 0..rounds {
            say(format_args!("{}: round {} of {rounds}", scenarios.own.name(), number + 1))?;
            found.push(round(&mut servers, &scenarios, expected, shuffled(&paths, number)).await?);
        }
        table.add(&scenarios.own, &paths, &found);
    }
    say(format_args!("load average at the end: {}\n\n{table}", cpu::load_average()))
}

/// One kind of request, as each client sends it.
struct Scenarios {
    own: Arc<Scenario>,
    translated: Arc<Scenario>,
}

/// The sizes of the right answers, in bytes.
#[derive(Clone, Copy)]
struct Expected {
    own: u64,
    /// None without a gateway.
    translated: Option<u64>,
}

impl Scenarios {
    fn new(kind: Kind, quick: bool) -> Self {
        let of = |client| Arc::new(Scenario::new(kind, client, quick));
        Self { own: of(Client::Chat), translated: of(Client::Messages) }
    }

    fn of(&self, path: Path) -> &Arc<Scenario> {
        if path == Path::Translated { &self.translated } else { &self.own }
    }
}

impl Expected {
    fn of(self, path: Path) -> anyhow::Result<u64> {
        let bytes = if path == Path::Translated { self.translated } else { Some(self.own) };
        bytes.context("there is no answer to compare with")
    }
}

/// Sends the scenario's requests down each path.
async fn round(
    servers: &mut Servers,
    scenarios: &Scenarios,
    expected: Expected,
    paths: Vec<Path>,
) -> anyhow::Result<Round> {
    let mut round = Round::default();
    for path in paths {
        let measured = measure(servers, path, scenarios.of(path), expected.of(path)?).await;
        *round.of_mut(path) = measured.with_context(|| path.name().to_owned())?;
    }
    Ok(round)
}

async fn measure(
    servers: &mut Servers,
    path: Path,
    scenario: &Arc<Scenario>,
    expected_bytes: u64,
) -> anyhow::Result<Measured> {
    let (address, pid) = servers.target(path)?;
    let amount = scenario.amount;
    driver::closed_loop(address, scenario, expected_bytes, amount.requests / 20).await?;
    tokio::time::sleep(SETTLE).await;
    let before = pid.map(cpu::seconds).transpose()?;
    let closed = driver::closed_loop(address, scenario, expected_bytes, amount.requests).await?;
    tokio::time::sleep(SETTLE).await;
    let after = pid.map(cpu::seconds).transpose()?;
    warn_of_joined_events(path, scenario, closed.parts)?;
    let delays = driver::open_loop(address, scenario, amount.per_second, amount.lasting).await?;
    let us_at = |quantile| delays.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Measured {
        cpu_seconds: before.zip(after).map(|(before, after)| after - before),
        seconds: closed.took.as_secs_f64(),
        p50_us: us_at(0.5),
        p99_us: us_at(0.99),
    })
}

/// Says when events did not come one by one: a proxy that joins them pays for fewer, and its cost by the event
/// is flattered.
fn warn_of_joined_events(path: Path, scenario: &Scenario, parts: u64) -> anyhow::Result<()> {
    let events = scenario.amount.requests * scenario.parts();
    if scenario.streams() && parts < events {
        say(format_args!("  {}: {events} events came in {parts} parts, some were joined", path.name()))?;
    }
    Ok(())
}

impl Servers {
    async fn start(options: &Options) -> anyhow::Result<Self> {
        let executable = match options.without_gateway {
            true => None,
            false => Some(process::gateway_executable(!options.no_build).await?),
        };
        let upstream = Server::upstream().await?;
        let bare = Server::bare(upstream.address).await?;
        let gateways = match executable {
            Some(executable) => {
                let start = |limits| Server::gateway(&executable, options.plane, upstream.address, limits);
                Some(Gateways { free: start(Limits::None).await?, limited: start(Limits::Ample).await? })
            }
            None => None,
        };
        Ok(Self { upstream, bare, gateways })
    }

    fn paths(&self) -> Vec<Path> {
        let mut paths = vec![Path::Straight, Path::Bare];
        if self.gateways.is_some() {
            paths.extend([Path::Gateway, Path::Translated, Path::Limited]);
        }
        paths
    }

    /// Asks once on the way without a proxy and once for a translated answer, and makes sure that both say the same.
    /// Ids in a translated answer are new each time, but always of one length.
    async fn expected(&self, scenarios: &Scenarios) -> anyhow::Result<Expected> {
        let own = driver::body_of(self.upstream.address, &scenarios.own).await.context("straight")?;
        let mut expected = Expected { own: own.len() as u64, translated: None };
        let Some(Gateways { free, .. }) = &self.gateways else { return Ok(expected) };
        let translated = driver::body_of(free.address, &scenarios.translated).await.context("translated")?;
        let stream = scenarios.own.streams();
        let [said, translation] = [(Client::Chat, &own), (Client::Messages, &translated)]
            .map(|(client, body)| answer::read(client, stream, body));
        ensure!(said? == translation?, "the translated answer says something else than the upstream's");
        expected.translated = Some(translated.len() as u64);
        Ok(expected)
    }

    /// Gives where a path begins, and the process whose cost counts, after making sure that it runs.
    fn target(&mut self, path: Path) -> anyhow::Result<(SocketAddr, Option<u32>)> {
        let server = match path {
            Path::Straight => {
                self.upstream.alive()?;
                return Ok((self.upstream.address, None));
            }
            Path::Bare => &mut self.bare,
            Path::Gateway | Path::Translated | Path::Limited => {
                let gateways = self.gateways.as_mut().context("no gateway was started")?;
                if path == Path::Limited { &mut gateways.limited } else { &mut gateways.free }
            }
        };
        server.alive()?;
        Ok((server.address, Some(server.pid)))
    }
}

impl Path {
    fn name(self) -> &'static str {
        match self {
            Path::Straight => "straight",
            Path::Bare => "bare",
            Path::Gateway => "cliproxy",
            Path::Translated => "translated",
            Path::Limited => "limited",
        }
    }
}

impl Round {
    fn of_mut(&mut self, path: Path) -> &mut Measured {
        match path {
            Path::Straight => &mut self.straight,
            Path::Bare => &mut self.bare,
            Path::Gateway => &mut self.gateway,
            Path::Translated => &mut self.translated,
            Path::Limited => &mut self.limited,
        }
    }
}

impl Index<Path> for Round {
    type Output = Measured;

    fn index(&self, path: Path) -> &Measured {
        match path {
            Path::Straight => &self.straight,
            Path::Bare => &self.bare,
            Path::Gateway => &self.gateway,
            Path::Translated => &self.translated,
            Path::Limited => &self.limited,
        }
    }
}

/// Orders the paths anew for each round, the same in every run.
fn shuffled(paths: &[Path], round: u32) -> Vec<Path> {
    let mut left = paths.to_vec();
    // Who comes first takes turns; the rest is shuffled.
    let first = left.remove(round as usize % left.len());
    let mut order = vec![first];
    let mut state = u64::from(round) + 1;
    while !left.is_empty() {
        // One step of a multiplicative generator; its upper bits are the good ones.
        state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (state >> 29);
        order.push(left.swap_remove((state >> 40) as usize % left.len()));
    }
    order
}

/// Prints a line.
fn say(line: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_comes_once_a_round_and_in_every_place_some_time() {
        let paths = [Path::Straight, Path::Bare, Path::Gateway, Path::Translated, Path::Limited];
        let orders: Vec<Vec<Path>> = (0..25).map(|round| shuffled(&paths, round)).collect();
        for path in paths {
            assert!(orders.iter().all(|order| order.iter().filter(|&&other| other == path).count() == 1));
            for place in 0..paths.len() {
                assert!(orders.iter().any(|order| order[place] == path), "{path:?} in {orders:?}");
            }
        }
    }
}
