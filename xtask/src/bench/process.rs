//! The processes under measurement: started here, ended here whatever happens.

use anyhow::{Context, bail, ensure};
use http_body_util::Empty;
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::net::TcpStream;

const START_WITHIN: Duration = Duration::from_secs(20);
/// Of `bench-key`, which the clients send.
const KEY_SHA256: &str = "b0962662e937d44c699c8305d90cbf190b3150c59b13863d1380b5cc3c711bb7";
const ANY_PORT: &str = "127.0.0.1:0";

/// Which of the gateway's commands serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Plane {
    /// Both planes in one process.
    Serve,
    /// The data plane alone, from its file.
    Dataplane,
}

/// Whether requests are held to limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limits {
    /// Nobody counts.
    None,
    /// By three rates and a budget of the client, three rates and a budget of the credential, and a budget of the
    /// provider; none of them is ever reached.
    Ample,
}

/// A process of ours. Dropping it kills it and waits for its end.
struct Process(Child);

/// A server process, which ends with its handle.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) pid: u32,
    process: Process,
    /// What a gateway writes; goes with it.
    _folder: Option<TempDir>,
}

impl Server {
    /// Starts the provider that answers from memory.
    pub(super) async fn upstream() -> anyhow::Result<Self> {
        Self::role(["bench-upstream", "--listen", ANY_PORT]).await.context("the upstream did not start")
    }

    /// Starts the proxy that only copies.
    pub(super) async fn bare(upstream: SocketAddr) -> anyhow::Result<Self> {
        let upstream = upstream.to_string();
        Self::role(["bench-bare", "--listen", ANY_PORT, "--upstream", &upstream])
            .await
            .context("the bare proxy did not start")
    }

    /// Starts this very executable in another role, and learns from its first line where it listens.
    async fn role<'a>(arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdout(Stdio::piped());
        let mut process = Process::spawn(command)?;
        let out = process.0.stdout.take().context("no standard output")?;
        let read = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(out).read_line(&mut line).map(|_| line)
        });
        let line = tokio::time::timeout(START_WITHIN, read).await.context("silent for 20 s")???;
        let address = line.trim().parse().with_context(|| format!("{line:?} is not an address"))?;
        Ok(Self { address, pid: process.0.id(), process, _folder: None })
    }

    /// Starts the gateway with what it does by default: routing, metering, metrics and the access log.
    pub(super) async fn gateway(
        executable: &Path,
        plane: Plane,
        upstream: SocketAddr,
        limits: Limits,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let ports = free_ports::<4>()?;
        let config = folder.path().join("config.yaml");
        std::fs::write(&config, gateway_config(upstream, ports, folder.path(), limits))?;
        let subcommand = match plane {
            Plane::Serve => "serve",
            Plane::Dataplane => "dataplane",
        };
        let mut command = Command::new(executable);
        command
            .arg(subcommand)
            .args([OsStr::new("--config"), config.as_os_str()])
            .args([OsStr::new("--data-dir"), folder.path().join("data").as_os_str()])
            .current_dir(folder.path())
            .stdout(Stdio::null());
        let process = Process::spawn(command)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports[0]));
        let mut server = Self { address, pid: process.0.id(), process, _folder: Some(folder) };
        server.ready().await.with_context(|| format!("cliproxy {subcommand} did not get ready"))?;
        Ok(server)
    }

    /// Waits until `/ready` says so.
    async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_WITHIN;
        loop {
            self.alive()?;
            let error = match ready_status(self.address).await {
                Ok(StatusCode::OK) => return Ok(()),
                Ok(status) => anyhow::anyhow!("/ready answers {status}"),
                Err(error) => error,
            };
            if Instant::now() > deadline {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Makes sure that the process has not ended.
    ///
    /// # Errors
    /// When it has.
    pub(super) fn alive(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.process.0.try_wait()? {
            bail!("process {} ended: {status}", self.pid);
        }
        Ok(())
    }
}

impl Process {
    /// Starts a process whose standard input ends when this one does.
    fn spawn(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped());
        let child = command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
        Ok(Self(child))
    }

    /// Waits for the process to end by itself.
    async fn end(&mut self) -> anyhow::Result<ExitStatus> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the process has ended and been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn ready_status(address: SocketAddr) -> anyhow::Result<StatusCode> {
    let ask = async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move { drop(connection.await) });
        let request =
            Request::get("/ready").header("host", address.to_string()).body(Empty::<Bytes>::new())?;
        anyhow::Ok(sender.send_request(request).await?.status())
    };
    tokio::time::timeout(Duration::from_secs(2), ask).await.context("/ready does not answer within 2 s")?
}

fn gateway_config(upstream: SocketAddr, ports: [u16; 4], folder: &Path, limits: Limits) -> String {
    let [listen, metrics, operators, nodes] = ports;
    let log = folder.join("logs").join("cliproxy.log");
    let log = log.display();
    let (of_key, of_provider, clients) = match limits {
        Limits::None => (String::new(), String::new(), String::new()),
        Limits::Ample => {
            let quota = "{limit: 1000000000000000, unit: tokens, reset: monthly}";
            let rates = "{requests_per_minute: 1000000000, tokens_per_minute: 1000000000000, concurrent_requests: 100000}";
            (
                format!(", rate_limit: {rates}, quota: {quota}"),
                format!("    quota: {quota}\n"),
                format!(
                    "clients:\n  - name: bench\n    keys: [{{sha256: {KEY_SHA256}}}]\n    rate_limit: {rates}\n    budget: {quota}\n"
                ),
            )
        }
    };
    format!(
        r#"server:
  listen: "127.0.0.1:{listen}"
control_plane:
  listen: "127.0.0.1:{operators}"
  nodes_listen: "127.0.0.1:{nodes}"
  endpoints: ["http://127.0.0.1:{nodes}"]
providers:
  openai:
    base_url: "http://{upstream}"
    credentials: [{{name: main, api_key: "upstream-key"{of_key}}}]
    models: ["bench-*"]
{of_provider}{clients}metrics:
  enabled: true
  port: {metrics}
  path: "/metrics"
logging:
  level: "info"
  format: "json"
  output: "{log}"
"#
    )
}

/// Asks the system for ports that nobody uses, all different as they are held together.
fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = std::net::TcpListener::bind(ANY_PORT)?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// Builds the gateway in the release profile, unless `build` is false, and gives its executable.
pub(crate) async fn gateway_executable(build: bool) -> anyhow::Result<PathBuf> {
    if build {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--release", "--package", "cliproxy"]);
        let status = Process::spawn(command)?.end().await?;
        ensure!(status.success(), "the gateway did not build: {status}");
    }
    // This executable is <target>/<profile>/xtask.
    let own = std::env::current_exe()?;
    let target = own.parent().and_then(Path::parent).context("this executable is in no target folder")?;
    let executable = target.join("release").join("cliproxy");
    ensure!(executable.is_file(), "{} is missing, leave out --no-build", executable.display());
    Ok(executable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_config::{Environment, Load};

    #[test]
    fn the_gateway_takes_the_configuration_without_a_warning() {
        for limits in [Limits::None, Limits::Ample] {
            takes(limits);
        }
    }

    fn takes(limits: Limits) {
        let ports = [8317, 9090, 8318, 8319];
        let text = gateway_config(([127, 0, 0, 1], 4010).into(), ports, Path::new("/tmp/x"), limits);
        let load = Load {
            file: None,
            overrides: Vec::new(),
            data_dir: PathBuf::from("data"),
            environment: Environment::new(|_| None),
            wall: Default::default,
            purpose: cliproxy_config::Purpose::Any,
        };
        let config = cliproxy_config::load_text("config.yaml", &text, &load).unwrap();
        assert_eq!(config.warnings, Vec::<String>::new());
        assert_eq!(config.server.listen, ([127, 0, 0, 1], 8317).into());
        assert_eq!(config.snapshot.clients.len(), usize::from(limits == Limits::Ample));
    }

    #[test]
    fn free_ports_differ() {
        let mut ports = free_ports::<8>().unwrap();
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
