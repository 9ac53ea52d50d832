//! How to start a process: what it is told, and the folder that it gets.

use super::{Output, Process};
use crate::{Place, now, poll::PATIENCE};
use serde_json::Value;
use std::{
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};
use tempfile::TempDir;

const LISTENERS: [&str; 3] = ["server.listen", "control_plane.listen", "control_plane.nodes_listen"];

/// How to start a process. Nothing of the test's own environment is handed on.
#[derive(Debug)]
pub struct Launch {
    program: PathBuf,
    pub(super) subcommand: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    config: Option<String>,
    files: Vec<(String, String)>,
    /// What stands before the program on the command line.
    prefix: Vec<String>,
    /// Values for [`LISTENERS`]; processes that serve nobody have none.
    pub(super) listeners: Option<[String; 3]>,
}

impl Launch {
    /// Starts from a program and a subcommand, as `"serve"` or `"config check"`. What serves, listens on free
    /// loopback ports.
    pub fn new(program: &str, subcommand: &str) -> Self {
        let serves = matches!(subcommand, "serve" | "dataplane" | "controlplane");
        Self {
            program: program.into(),
            subcommand: subcommand.split(' ').map(str::to_owned).collect(),
            arguments: Vec::new(),
            environment: Vec::new(),
            config: None,
            files: Vec::new(),
            prefix: Vec::new(),
            listeners: serves.then(|| [(); 3].map(|()| "127.0.0.1:0".to_owned())),
        }
    }

    /// Writes this configuration to `config.yaml` in the process's folder and names it on the command line.
    pub fn config(mut self, text: impl Into<String>) -> Self {
        self.config = Some(text.into());
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a key of the configuration by `--set`.
    pub fn set(self, key: &str, value: impl Into<Value>) -> Self {
        self.arg("--set").arg(format!("{key}={}", value.into()))
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Writes a file below the process's folder, which is its working directory, before it starts.
    pub fn file(mut self, path: &str, text: impl Into<String>) -> Self {
        self.files.push((path.into(), text.into()));
        self
    }

    /// Runs it on a host of a network, on the usual ports: clients at 8317, operators at 8318, nodes at 8319.
    pub fn on(mut self, place: Place) -> Self {
        self.prefix = place.prefix().into();
        self.listeners = Some([8317, 8318, 8319].map(|port: u16| format!("{}:{port}", place.address())));
        self
    }

    /// Starts the process and waits for nothing.
    ///
    /// # Panics
    /// When the folder cannot be made or the program not be run.
    pub fn start(self) -> Process {
        let folder = match TempDir::with_prefix("cliproxy-e2e-") {
            Ok(folder) => folder,
            Err(error) => panic!("no folder for a process: {error}"),
        };
        for (path, text) in &self.files {
            write(&folder.path().join(path), text);
        }
        if let Some(config) = &self.config {
            write(&folder.path().join("config.yaml"), config);
        }
        let (child, output) = spawn(&self, folder.path());
        Process { launch: self, folder, child, output, started: now(), exit: None }
    }

    /// Starts the process and waits until it is ready to serve; see [`Process::ready`].
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn ready(self) -> Process {
        let process = self.start();
        process.ready().await;
        process
    }

    /// Runs the process to its end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn run(self) -> Finished {
        let mut process = self.start();
        let status = process.wait_exit(PATIENCE).await;
        process.output.drained().await;
        Finished { status, stdout: process.output.stdout().join("\n"), stderr: process.stderr() }
    }
}

/// What is left of a process that ran to its end.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to the standard output.
    pub stdout: String,
    /// What it wrote to the standard error.
    pub stderr: String,
}

pub(super) fn spawn(launch: &Launch, folder: &Path) -> (Child, Output) {
    let program = launch.program.to_string_lossy();
    let mut words = launch.prefix.iter().map(String::as_str).chain([&*program]);
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).args(&launch.subcommand);
    if launch.config.is_some() {
        command.arg("--config").arg(folder.join("config.yaml"));
    }
    if let Some(listeners) = &launch.listeners {
        command.arg("--data-dir").arg(folder.join("data"));
        for (key, address) in LISTENERS.iter().zip(listeners) {
            command.arg("--set").arg(format!("{key}=\"{address}\""));
        }
    }
    command.args(&launch.arguments).current_dir(folder).env_clear();
    command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match command.spawn() {
        Ok(mut child) => {
            let output = Output::read(&mut child);
            (child, output)
        }
        Err(error) => panic!("{} could not be run: {error}", launch.program.display()),
    }
}

pub(super) fn write(path: &Path, text: &str) {
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    // For its owner alone, as files with keys should be.
    let private =
        || std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    if let Err(error) = folder.and_then(|()| private()?.write_all(text.as_bytes())) {
        panic!("{} could not be written: {error}", path.display());
    }
}
