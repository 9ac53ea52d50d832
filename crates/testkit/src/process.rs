//! A real process of the program, in a folder of its own.

mod launch;
mod output;

pub use self::launch::{Finished, Launch};
use self::{
    launch::{spawn, write},
    output::Output,
};
use crate::{Client, now, poll::PATIENCE, poll_until};
use serde_json::Value;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The lines that are shown of a process whose test failed.
const TAIL: usize = 60;

/// A process. Dropping it kills it by its id, and shows the end of its log when the test has failed.
#[derive(Debug)]
pub struct Process {
    launch: Launch,
    folder: TempDir,
    child: Child,
    output: Output,
    started: Instant,
    exit: Option<ExitStatus>,
}

impl Process {
    /// Gives its working directory, which has `config.yaml` and `data`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the file of its store.
    pub fn database(&self) -> PathBuf {
        self.folder().join("data/cliproxy.db")
    }

    /// Replaces its configuration file, in one step as editors do.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_config(&self, text: impl Into<String>) {
        let new = self.folder().join("config.yaml.new");
        write(&new, &text.into());
        if let Err(error) = std::fs::rename(&new, self.folder().join("config.yaml")) {
            panic!("the configuration could not be replaced: {error}");
        }
    }

    /// Gives its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Gives when it was started last.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Gives where clients connect, once the process says so.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn address(&self) -> SocketAddr {
        self.address_of("clients are served", "address").await
    }

    /// Gives where operators connect to the control plane, likewise.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn operators(&self) -> SocketAddr {
        self.address_of("nodes are served", "operators").await
    }

    /// Gives where nodes connect to the control plane, likewise.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn nodes(&self) -> SocketAddr {
        self.address_of("nodes are served", "nodes").await
    }

    async fn address_of(&self, message: &str, field: &str) -> SocketAddr {
        let line = self.wait_for_log(message, PATIENCE).await;
        match line[field].as_str().and_then(|text| text.parse().ok()) {
            Some(address) => address,
            None => panic!("no address {field:?} in {line}"),
        }
    }

    /// Gives a client of the port for clients.
    ///
    /// # Panics
    /// When the process does not serve in time.
    pub async fn client(&self) -> Client {
        Client::new(self.address().await)
    }

    /// Waits until `/ready` of what it serves answers 200: of the data plane, or of a control plane alone.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn ready(&self) {
        let server = match self.launch.subcommand[0].as_str() {
            "controlplane" => self.operators().await,
            _ => self.address().await,
        };
        let client = Client::new(server);
        let request = || client.request(http::Method::GET, "/ready");
        let attempt = || async { request().send().await.ok().filter(|answer| answer.status == 200) };
        poll_until("ready process", PATIENCE, attempt).await;
    }

    /// Gives the lines of its log so far, those of this start only. Lines that are not JSON are strings.
    pub fn log_lines(&self) -> Vec<Value> {
        let parse = |line: String| serde_json::from_str(&line).unwrap_or(Value::String(line));
        self.output.stdout().into_iter().map(parse).collect()
    }

    /// Gives what it wrote to the standard output so far, line by line.
    pub fn stdout(&self) -> Vec<String> {
        self.output.stdout()
    }

    /// Gives what it wrote to the standard error so far.
    pub fn stderr(&self) -> String {
        self.output.stderr().join("\n")
    }

    /// Waits for the first line of the log with this message.
    ///
    /// # Panics
    /// When it does not come in time.
    pub async fn wait_for_log(&self, message: &str, limit: Duration) -> Value {
        self.wait_for_line(message, limit, |line| line["msg"] == message).await
    }

    /// Waits for the first line of the log that `fits`.
    ///
    /// # Panics
    /// When it does not come in time; the message has `what` was waited for.
    pub async fn wait_for_line(&self, what: &str, limit: Duration, fits: impl Fn(&Value) -> bool) -> Value {
        poll_until(what, limit, || async { self.log_lines().into_iter().find(&fits) }).await
    }

    /// Sends it a signal, as `"TERM"`.
    ///
    /// # Panics
    /// When it has ended.
    pub fn signal(&self, name: &str) {
        // The shell's own `kill`, so that no other program has to be there.
        let command = format!("kill -s {name} {}", self.child.id());
        let sent = Command::new("/bin/sh").args(["-c", &command]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal {name} could not be sent");
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub fn kill9(&mut self) {
        if self.exit.is_none() {
            // It may have ended by itself, which is as good.
            let _ = self.child.kill();
            self.exit = self.child.wait().ok();
        }
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it does not within `limit`.
    pub async fn wait_exit(&mut self, limit: Duration) -> ExitStatus {
        let deadline = now() + limit;
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            assert!(now() < deadline, "the process did not end within {limit:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Tells how it ended, when it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        if self.exit.is_none() {
            self.exit = self.child.try_wait().ok().flatten();
        }
        self.exit
    }

    /// Starts it again with the same folder and on the same ports, once it has ended. The log begins anew.
    ///
    /// # Panics
    /// When it still runs, or cannot be started.
    pub fn restart(&mut self) {
        assert!(self.exited().is_some(), "the process still runs; kill or terminate it first");
        self.keep_ports();
        (self.child, self.output) = spawn(&self.launch, self.folder.path());
        self.started = now();
        self.exit = None;
    }

    fn keep_ports(&mut self) {
        let lines = self.log_lines();
        let said = |message: &str, field: &str| {
            let line = lines.iter().find(|line| line["msg"] == message)?;
            line[field].as_str().map(str::to_owned)
        };
        let addresses = [
            said("clients are served", "address"),
            said("nodes are served", "operators"),
            said("nodes are served", "nodes"),
        ];
        if let Some(listeners) = &mut self.launch.listeners {
            for (listener, address) in listeners.iter_mut().zip(addresses) {
                if let Some(address) = address {
                    *listener = address;
                }
            }
        }
    }

    /// Gives its resident memory in KiB.
    ///
    /// # Panics
    /// When the kernel does not tell, as for a process that has ended.
    pub fn rss_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        match line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()) {
            Some(size) => size,
            None => panic!("the kernel does not tell the resident memory: {status:?}"),
        }
    }
}

impl Process {
    /// Gives how much time of all processors it has used, to a hundredth of a second.
    ///
    /// # Panics
    /// When the kernel does not tell, as for a process that has ended.
    pub fn cpu_time(&self) -> Duration {
        let line = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        match ticks(&line) {
            // A hundredth of a second each, whatever the kernel counts by itself.
            Some(ticks) => Duration::from_millis(10 * ticks),
            None => panic!("the kernel does not tell the times of a process: {line:?}"),
        }
    }
}

/// Reads the time in user and in system mode from `/proc/PID/stat`: the 14th and 15th fields.
fn ticks(line: &str) -> Option<u64> {
    // The name of the program stands in brackets and may hold anything.
    let (_, rest) = line.rsplit_once(')')?;
    let mut times = rest.split_whitespace().skip(11);
    let mut next = || times.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failed test")]
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            let (stdout, stderr) = (self.output.stdout(), self.output.stderr());
            eprintln!("--- the end of what `{}` wrote:", self.launch.subcommand.join(" "));
            for line in stdout.iter().rev().take(TAIL).rev().chain(&stderr) {
                eprintln!("{line}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let line = "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0";
        assert_eq!(ticks(line), Some(42));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
