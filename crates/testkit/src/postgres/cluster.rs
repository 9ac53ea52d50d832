//! The processes and the folder of one cluster.

use super::{
    SUPERUSER,
    place::{self, User},
    tail,
};
use crate::{now, poll::PATIENCE};
use std::{
    fmt::Write as _,
    fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// For tests: nothing waits for the disk, and clients of many tests fit in. Later settings win.
const SETTINGS: [(&str, &str); 10] = [
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("max_connections", "400"),
    // Databases are dropped by threads that may be about to connect: the server waits for whoever begins to.
    ("authentication_timeout", "10s"),
    ("shared_buffers", "64MB"),
    ("autovacuum_naptime", "5s"),
    ("log_min_messages", "warning"),
    ("log_statement", "none"),
];

/// Waits until its standard input is closed, which is when whoever started it is gone in whatever way; then ends the
/// cluster and removes its folder.
const WATCHER: &str = r#"
trap '' INT TERM HUP
read -r _
if [ -s "$0/data/postmaster.pid" ]; then
    kill -s QUIT "$(head -n 1 "$0/data/postmaster.pid")" 2>/dev/null
    tries=0
    while [ -e "$0/data/postmaster.pid" ] && [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.02
    done
fi
rm -rf "$0"
"#;

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) port: u16,
    pub(super) password: String,
    folder: PathBuf,
    binaries: PathBuf,
    user: Option<User>,
    watcher: Child,
}

impl Cluster {
    /// Makes a cluster and starts it.
    pub(super) fn make(binaries: &Path, settings: &[(&str, &str)]) -> Self {
        let user = place::user();
        // The watcher removes it.
        let folder = match TempDir::with_prefix("cliproxy-postgres-") {
            Ok(folder) => folder.keep(),
            Err(error) => panic!("no folder for a Postgres cluster: {error}"),
        };
        let watcher = watch(&folder);
        let port = place::free_port();
        let password = password();
        let cluster = Self { port, password, folder, binaries: binaries.to_owned(), user, watcher };
        cluster.init(settings);
        cluster.start();
        cluster
    }

    fn init(&self, settings: &[(&str, &str)]) {
        let password_file = self.folder.join("password");
        write(&password_file, &self.password);
        for path in [&self.folder, &password_file] {
            if let Some(User { uid, gid }) = self.user
                && let Err(error) = chown(path, Some(uid), Some(gid))
            {
                panic!("{} could not be given to the user of Postgres: {error}", path.display());
            }
        }
        self.run(
            self.command("initdb")
                .arg("--pgdata")
                .arg(self.data())
                .args([
                    "--username",
                    SUPERUSER,
                    "--auth=password",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-sync",
                ])
                .arg("--pwfile")
                .arg(password_file),
        );
        let port = self.port.to_string();
        let own = [("port", port.as_str())];
        let mut text = String::new();
        for (name, value) in SETTINGS.into_iter().chain(own).chain(settings.iter().copied()) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name} = '{value}'");
        }
        let file = self.data().join("postgresql.auto.conf");
        write(&file, &text);
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn pid_file(&self) -> PathBuf {
        self.data().join("postmaster.pid")
    }

    pub(super) fn start(&self) {
        let log = self.log();
        self.run(self.pg_ctl("start").arg("--log").arg(log));
    }

    pub(super) fn stop(&self, mode: &str) {
        self.run(self.pg_ctl("stop").args(["--mode", mode]));
    }

    pub(super) fn pid(&self) -> u32 {
        let text = fs::read_to_string(self.pid_file()).unwrap_or_default();
        match text.lines().next().and_then(|line| line.trim().parse().ok()) {
            Some(pid) => pid,
            None => panic!("Postgres does not run: {} has no number", self.pid_file().display()),
        }
    }

    pub(super) fn kill(&self) {
        let postmaster = self.pid();
        // Stopped, it makes no more processes while they are counted.
        signal("STOP", &[postmaster]);
        let mut all = children_of(postmaster);
        all.push(postmaster);
        signal("KILL", &all);
        let deadline = now() + PATIENCE;
        while all.iter().any(|pid| lives(*pid)) {
            assert!(now() < deadline, "processes of Postgres survived SIGKILL: {all:?}");
            std::thread::yield_now();
        }
        // Its number could be another process's by the time that someone asks for it.
        let _ = fs::remove_file(self.pid_file());
    }

    fn pg_ctl(&self, what: &str) -> Command {
        let mut command = self.command("pg_ctl");
        command.arg(what).arg("--pgdata").arg(self.data()).args(["--wait", "--timeout=60", "--silent"]);
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/bin:/bin");
        if let Some(User { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Runs a program to its end. Its output goes to a file: the server inherits it, and would keep a pipe open.
    fn run(&self, command: &mut Command) {
        let said = self.folder.join("said");
        let output = fs::File::create(&said).and_then(|file| Ok((file.try_clone()?, file)));
        let (stdout, stderr) = match output {
            Ok(files) => files,
            Err(error) => panic!("{} could not be made: {error}", said.display()),
        };
        let status = command.stdout(stdout).stderr(stderr).status();
        if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
            panic!("{command:?} ended with {status:?}:\n{}\n{}", tail(&said), tail(&self.log()));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

fn watch(folder: &Path) -> Child {
    let watcher = Command::new("/bin/sh")
        .args(["-c", WATCHER])
        .arg(folder)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What ends the test's processes as a group must not end it.
        .process_group(0)
        .spawn();
    match watcher {
        Ok(watcher) => watcher,
        Err(error) => panic!("no shell could be started to watch over Postgres: {error}"),
    }
}

/// Makes a password, so that other users of this machine are kept out.
fn password() -> String {
    match fs::read_to_string("/proc/sys/kernel/random/uuid") {
        Ok(text) => text.trim().replace('-', ""),
        Err(error) => panic!("the kernel gives no random number for a password: {error}"),
    }
}

fn write(path: &Path, text: &str) {
    if let Err(error) = fs::write(path, text) {
        panic!("{} could not be written: {error}", path.display());
    }
}

fn signal(name: &str, pids: &[u32]) {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    // One may have ended meanwhile, which is as good.
    let _ = Command::new("/bin/sh").args(["-c", &format!("kill -s {name} {}", pids.join(" "))]).status();
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| state_and_parent(*pid).is_some_and(|(_, of)| of == parent))
        .collect()
}

/// Tells whether a process is there and no zombie.
pub(super) fn lives(pid: u32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state != "Z")
}

/// Reads the third and the fourth field of `/proc/PID/stat`.
fn state_and_parent(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program stands in brackets and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
