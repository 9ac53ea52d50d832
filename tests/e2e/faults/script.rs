//! `scripts/cluster`: a cluster without containers, any process of which may be killed.

use super::fixture::{RATE, none_failed};
use crate::CLIPROXY;
use cliproxy_testkit::{
    Client, LONG_PATIENCE, Plan, Traffic,
    mock::{Behaviour, Latency, Rule},
    poll_until, provider,
};
use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A process that is killed is started again a second later, and Postgres recovers first.
const AGAIN: Duration = Duration::from_secs(60);
/// What the script adds to the number that its ports begin at.
const OFFSETS: [u16; 9] = [17, 18, 19, 27, 28, 29, 32, 37, 40];

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/cluster");

/// The script, running. Dropping it ends it as Ctrl-C does.
struct Script {
    process: Child,
    folder: PathBuf,
    ports: u16,
}

impl Script {
    /// Starts it, and waits until it says that all is there.
    fn start(provider_url: &str) -> Self {
        let ports = free_ports();
        let mut process = Command::new(SCRIPT)
            .env("CLIPROXY", CLIPROXY)
            .env("PROVIDER_URL", provider_url)
            .env("PORTS", ports.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script runs");
        let mut lines = BufReader::new(process.stdout.take().expect("an output")).lines();
        let mut folder = PathBuf::new();
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some(logs) = line.strip_prefix("logs ") {
                folder = PathBuf::from(logs.trim().trim_end_matches("/*.log"));
            }
            if line.contains("Ctrl-C ends all") {
                break;
            }
        }
        assert!(folder.is_dir(), "the script says where its logs are");
        // It goes on to tell what ended; nobody reads that here, and it must not wait for us.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, folder, ports }
    }

    /// Gives the number of a process, once it has one that is not `other`.
    async fn pid(&self, name: &str, other: Option<u32>) -> u32 {
        let file = self.folder.join(format!("{name}.pid"));
        let read = || async {
            let pid = std::fs::read_to_string(&file).ok()?.trim().parse().ok()?;
            (Some(pid) != other).then_some(pid)
        };
        poll_until(&format!("a new {name}"), AGAIN, read).await
    }

    fn nodes(&self) -> Vec<(String, Client)> {
        let client = |offset: u16| Client::new(([127, 0, 0, 1], self.ports + offset).into());
        [("node-a", 17), ("node-b", 27), ("node-c", 37)].map(|(name, at)| (name.into(), client(at))).into()
    }

    /// Waits until all nodes serve, and are connected.
    async fn whole(&self) {
        for (name, client) in self.nodes() {
            let connected = || async {
                let answer = client.request(http::Method::GET, "/health").send().await.ok()?;
                (answer.json()["control_plane"] == "connected").then_some(())
            };
            poll_until(&format!("{name} that is connected"), AGAIN, connected).await;
        }
    }

    fn interrupt(&self) {
        send("INT", self.process.id());
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.interrupt();
            let _ = self.process.wait();
        }
    }
}

fn send(signal: &str, process: u32) {
    let command = format!("kill -s {signal} {process}");
    let sent = Command::new("/bin/sh").args(["-c", &command]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{command}");
}

fn lives(process: u32) -> bool {
    PathBuf::from(format!("/proc/{process}")).exists()
}

/// Finds a number from which all ports of the script are free. Another process begins to look elsewhere.
fn free_ports() -> u16 {
    let first = u16::try_from(std::process::id() % 100).expect("below a hundred") * 100;
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let bases = (0..100).map(|step| 20_000 + (first + step * 100) % 10_000);
    let mut free = bases.into_iter().filter(|base| OFFSETS.iter().all(|offset| is_free(base + offset)));
    free.next().expect("free ports")
}

#[tokio::test(flavor = "multi_thread")]
async fn any_process_of_the_scripts_cluster_may_be_killed_at_the_cost_of_the_requests_that_it_held() {
    let latency = Latency { time_to_first_token_ms: 20, per_token_ms: 5, ..Latency::default() };
    let mock = provider("local", Rule::new(Behaviour::Answer).latency(latency));
    let base_url = mock.base_url();
    let mut script =
        tokio::task::spawn_blocking(move || Script::start(&base_url)).await.expect("the script starts");
    script.whole().await;
    for file in std::fs::read_dir(&script.folder).expect("its folder").flatten() {
        let mode = file.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} is for its owner alone", file.path());
    }
    let mut ended = Vec::new();
    for name in ["postgres", "cp-a", "cp-b", "node-a", "node-b", "node-c"] {
        let plan = Plan { nodes: script.nodes(), model: "smart".into(), rate: RATE, goes_on: true };
        let traffic = Traffic::start(plan);
        traffic.next(20).await;
        let pid = script.pid(name, None).await;
        let before = traffic.elapsed();
        send("KILL", pid);
        let killed = before..traffic.elapsed();
        script.pid(name, Some(pid)).await;
        script.whole().await;
        traffic.next(20).await;
        let record = traffic.stop().await;
        println!("{name} killed: {record}");
        let beside = record.failures_beside(name, &killed);
        assert!(beside.is_empty(), "{name} killed: {beside:#?}");
        if !name.starts_with("node") {
            none_failed(&record);
        }
        ended.push(script.pid(name, Some(pid)).await);
    }
    script.interrupt();
    let status = tokio::task::spawn_blocking(move || {
        let status = script.process.wait().expect("it ends");
        (status, script.folder.clone())
    });
    let (status, folder) =
        tokio::time::timeout(LONG_PATIENCE, status).await.expect("in time").expect("no panic");
    assert!(status.success(), "{status}");
    assert!(!folder.exists(), "its folder is gone");
    assert!(ended.iter().all(|pid| !lives(*pid)), "no process is left: {ended:?}");
}

#[test]
fn a_program_without_a_provider_beside_it_is_told_of_before_anything_is_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("cliproxy");
    std::os::unix::fs::symlink(CLIPROXY, &program).expect("a link");
    let run =
        Command::new(SCRIPT).env("CLIPROXY", &program).env_remove("PROVIDER_URL").output().expect("it runs");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(
        !run.status.success() && said.contains("build cliproxy-mock-provider, or set PROVIDER_URL"),
        "{said}"
    );
}

/// Runs the script with a program in a folder of its own, and gives whether it went well and what it said.
fn run(program: &str, ports: &str, argument: Option<&str>) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(SCRIPT);
    command.args(argument).env("CLIPROXY", program).env("PORTS", ports).env("TMPDIR", folder.path());
    let run = command.env("PROVIDER_URL", "http://127.0.0.1:9").output().expect("it runs");
    let left = std::fs::read_dir(folder.path()).expect("its folder").count();
    assert_eq!(left, 0, "nothing is left behind");
    let said = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn mistakes_are_told_of_before_anything_is_built_or_started() {
    let base = free_ports();
    let taken = TcpListener::bind(("127.0.0.1", base + 28)).expect("a port");
    let free = (base + 1_000).to_string();
    let in_use = format!("port {} is taken", taken.local_addr().expect("an address").port());
    for (program, ports, argument, expected) in [
        (CLIPROXY, &*free, Some("--port=1"), "there is no argument --port=1"),
        (CLIPROXY, "abc", None, "PORTS is 'abc'; write a number from 1024 to 65000"),
        (CLIPROXY, "65500", None, "PORTS is '65500'; write a number"),
        ("/nonexistent", &free, None, "/nonexistent is no program; correct CLIPROXY"),
        (CLIPROXY, &base.to_string(), None, &in_use),
    ] {
        let (well, said) = run(program, ports, argument);
        assert!(!well && said.contains(expected), "{expected}: {said}");
    }
    let none = Command::new(SCRIPT).env("CLIPROXY", CLIPROXY).env("CONFIG", "/nonexistent").output();
    let said = String::from_utf8_lossy(&none.expect("it runs").stderr).into_owned();
    assert!(said.contains("CONFIG is '/nonexistent', which cannot be read; name a file"), "{said}");
    let (well, help) = run("/nonexistent", "abc", Some("--help"));
    assert!(well && help.contains("PROVIDER_URL") && !help.contains('#'), "{help}");
}

#[test]
fn a_process_that_ends_again_and_again_ends_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("cliproxy");
    std::fs::write(&program, "#!/bin/sh\necho it cannot begin >&2\nexit 3\n").expect("a program");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    let (well, said) = run(program.to_str().expect("text"), &free_ports().to_string(), None);
    assert!(!well && said.contains("it cannot begin"), "{said}");
    assert!(said.contains("has ended five times within moments of its start"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_cluster_whose_script_is_killed() {
    let script = tokio::task::spawn_blocking(|| Script::start("http://127.0.0.1:9")).await;
    let mut script = script.expect("the script starts");
    let mut running = Vec::new();
    for name in ["postgres", "cp-a", "cp-b", "node-a", "node-b", "node-c"] {
        running.push(script.pid(name, None).await);
    }
    send("KILL", script.process.id());
    script.process.wait().expect("it is gone");
    let gone = || async {
        let none = !script.folder.exists() && running.iter().all(|pid| !lives(*pid));
        none.then_some(())
    };
    poll_until("an end of all", AGAIN, gone).await;
    let is_free = |offset: &u16| TcpListener::bind(("127.0.0.1", script.ports + offset)).is_ok();
    assert!(OFFSETS.iter().all(is_free), "a port is still taken");
}
