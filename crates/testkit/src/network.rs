//! A network that a test makes for itself: hosts with a link each, around a router that can cut them from each other.
//!
//! [`inside`] runs a test again in a network namespace of its own, which is the router; each [`Network::host`] is a
//! namespace more, joined to it by a pair of virtual interfaces. Nothing of the machine's own network is touched, and all
//! of it is gone with the processes. Linux only; needs `ip`, `tc`, `iptables` and `unshare`, and either root or user
//! namespaces.

use crate::poll::PATIENCE;
use std::{
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Says that the process runs in a network of its own.
const INSIDE: &str = "CLIPROXY_TEST_NETWORK";
/// The address at which every host reaches what listens in the test itself.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// How many hosts there can be.
const HOSTS: u8 = 250;

/// Tells whether this is the run of a test inside of a network of its own. The first call is not: it makes that run,
/// waits for its end, and passes on how it ended.
///
/// # Panics
/// When the run inside failed, or no network can be made.
pub fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        run("ip", &["link", "set", "lo", "up"]);
        run("ip", &["address", "add", &format!("{ROUTER}/32"), "dev", "lo"]);
        if let Err(error) = std::fs::write("/proc/sys/net/ipv4/ip_forward", "1") {
            panic!("the network of the test cannot route: {error}");
        }
        return true;
    }
    let mut command = Command::new("unshare");
    // Without root, the namespace belongs to a user namespace; the user stays who he is, as Postgres wants it.
    if !is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    let program = std::env::current_exe().unwrap_or_default();
    command.arg("--net").arg(program).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    match command.status() {
        Ok(status) => assert!(status.success(), "{test} failed in a network of its own: {status}"),
        Err(error) => panic!("unshare (of util-linux) could not be run: {error}"),
    }
    false
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    ids.split_whitespace().nth(1) == Some("0")
}

/// The hosts of a test that runs [`inside`].
#[derive(Debug, Default)]
pub struct Network {
    hosts: Vec<Host>,
}

/// A host: a namespace that lives as long as the process that holds it.
#[derive(Debug)]
struct Host {
    holder: Child,
}

/// One of the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    number: u8,
    /// The process that holds the namespace.
    holder: u32,
}

impl Place {
    /// Gives the host's address.
    pub fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 2)
    }

    /// Gives the other end of the host's link.
    fn router(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 1)
    }

    /// Gives what to put before a command so that it runs on the host.
    pub fn prefix(self) -> [String; 4] {
        ["nsenter".into(), "--target".into(), self.holder.to_string(), "--net".into()]
    }

    fn link(self) -> String {
        format!("host{}", self.number)
    }
}

impl Network {
    /// Adds a host.
    ///
    /// # Panics
    /// When it cannot be made, as outside of [`inside`].
    pub fn host(&mut self) -> Place {
        assert!(std::env::var_os(INSIDE).is_some(), "the test runs in no network of its own");
        let number = u8::try_from(self.hosts.len() + 1).unwrap_or(u8::MAX);
        assert!(number <= HOSTS, "there are {HOSTS} hosts at most");
        // It ends when its input does, in whatever way this process ends.
        let held = Command::new("unshare").args(["--net", "cat"]).stdin(Stdio::piped()).spawn();
        let holder = match held {
            Ok(holder) => holder,
            Err(error) => panic!("unshare (of util-linux) could not be run: {error}"),
        };
        let place = Place { number, holder: holder.id() };
        self.hosts.push(Host { holder });
        own_namespace(place.holder);
        self.join(place);
        place
    }

    fn join(&self, place: Place) {
        let (link, holder) = (place.link(), place.holder.to_string());
        run("ip", &["link", "add", &link, "type", "veth", "peer", "name", "out", "netns", &holder]);
        run("ip", &["address", "add", &format!("{}/30", place.router()), "dev", &link]);
        run("ip", &["link", "set", &link, "up"]);
        let on_host = |arguments: &[&str]| {
            let prefix = place.prefix();
            let rest = prefix[1..].iter().map(String::as_str);
            let all: Vec<&str> = rest.chain(["ip"]).chain(arguments.iter().copied()).collect();
            run(&prefix[0], &all);
        };
        on_host(&["link", "set", "lo", "up"]);
        on_host(&["address", "add", &format!("{}/30", place.address()), "dev", "out"]);
        on_host(&["link", "set", "out", "up"]);
        on_host(&["route", "add", "default", "via", &place.router().to_string()]);
    }

    /// Takes the link of a host down, or up again.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn link(&self, place: Place, up: bool) {
        run("ip", &["link", "set", &place.link(), if up { "up" } else { "down" }]);
    }

    /// Drops every packet from one host to another from now on; those the other way pass.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn drop_packets(&self, from: Place, to: Place) {
        rule("add", from, to);
    }

    /// Lets packets from one host to another pass again.
    ///
    /// # Panics
    /// When they were not dropped.
    pub fn pass_packets(&self, from: Place, to: Place) {
        rule("delete", from, to);
    }

    /// Loses a share of the packets that a host sends to other hosts, drawn by the kernel.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn lose(&self, from: Place, share: f64) {
        let (link, share) = (from.link(), share.to_string());
        run(
            "iptables",
            &[
                "-A",
                "FORWARD",
                "-i",
                &link,
                "-m",
                "statistic",
                "--mode",
                "random",
                "--probability",
                &share,
                "-j",
                "DROP",
            ],
        );
    }

    /// Makes a link slow: what goes to the host passes at this rate, as `1mbit`, and waits up to `most` for it.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn slow(&self, place: Place, rate: &str, most: Duration) {
        let most = format!("{}ms", most.as_millis());
        let link = place.link();
        run(
            "tc",
            &["qdisc", "add", "dev", &link, "root", "tbf", "rate", rate, "burst", "16kb", "latency", &most],
        );
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in &mut self.hosts {
            // It may have ended with its input already.
            let _ = host.holder.kill();
            let _ = host.holder.wait();
        }
    }
}

fn rule(verb: &str, from: Place, to: Place) {
    let (from, to) = (from.address().to_string(), to.address().to_string());
    run("ip", &["rule", verb, "from", &from, "to", &to, "blackhole"]);
}

/// Waits until a process has a network namespace other than ours.
fn own_namespace(process: u32) {
    let of = |process: &str| std::fs::read_link(Path::new("/proc").join(process).join("ns/net")).ok();
    let (deadline, ours) = (crate::now() + PATIENCE, of("self"));
    while of(&process.to_string()).is_none_or(|theirs| Some(theirs) == ours) {
        assert!(crate::now() < deadline, "no namespace was made within {PATIENCE:?}");
        std::thread::yield_now();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let shown = || format!("{program} {}", arguments.join(" "));
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("{}: {}", shown(), String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => panic!("{} could not be run: {error}", shown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn hosts_reach_the_router_until_their_link_is_down() {
        if !inside("network::tests::hosts_reach_the_router_until_their_link_is_down") {
            return;
        }
        let mut network = Network::default();
        let (a, b) = (network.host(), network.host());
        let server = TcpListener::bind((ROUTER, 0)).await.unwrap();
        let port = server.local_addr().unwrap().port();
        let answers = |place: Place| {
            let prefix = place.prefix();
            let connect = format!("exec 3<>/dev/tcp/{ROUTER}/{port}");
            let mut command = Command::new(&prefix[0]);
            command.args(&prefix[1..]).args(["timeout", "0.5", "bash", "-c", &connect]);
            command.stderr(Stdio::null()).status().unwrap().success()
        };
        assert!(answers(a) && answers(b));
        network.link(a, false);
        assert!(!answers(a) && answers(b), "only one link is down");
        network.link(a, true);
        assert!(answers(a));
        network.lose(a, 1.0);
        assert!(answers(a), "the router is no host");
        drop(network);
        assert!(!std::fs::exists("/sys/class/net/host1").unwrap(), "a link goes with its host");
    }
}
