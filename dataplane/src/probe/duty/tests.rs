use super::*;
use cliproxy_domain::{Credential, HealthCheck, Provider, ProviderKind, Secret, Timeouts};
use cliproxy_host::{Clock as _, SystemClock};

const INTERVAL: Duration = Duration::from_secs(30);

/// Three providers, of which the last is not to be asked.
fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.policy.health_check.enabled = true;
    for name in ["a", "b", "unasked"] {
        let credential = Credential::new("main", Secret::new("k"));
        let provider = Provider {
            name: name.into(),
            kind: ProviderKind::OpenAi,
            base_url: "http://localhost".to_owned(),
            credentials: vec![credential],
            models: Vec::new(),
            weight: 1,
            priority: 1,
            timeouts: Timeouts::default(),
            profile: None,
            traits: Vec::new(),
            cooldown: Default::default(),
            health_check: HealthCheck { enabled: name != "unasked", ..HealthCheck::default() },
            quota: None,
            prices: Vec::new(),
        };
        snapshot.providers.insert(provider.name.clone(), provider);
    }
    snapshot
}

fn assignment(provider: &str, nodes: &[&str], at_once: u64) -> ProbeAssignment {
    ProbeAssignment {
        revision: 1,
        provider: provider.into(),
        nodes: nodes.iter().map(|node| (*node).into()).collect(),
        at_once,
        node_count: 3,
    }
}

/// A node with its duties and a clock of its own.
struct Node {
    duties: Duties,
    snapshot: Snapshot,
    now: Instant,
}

impl Node {
    fn new() -> Self {
        Self { duties: Duties::default(), snapshot: snapshot(), now: SystemClock.now() }
    }

    /// Lets time pass, hears the assignments, and gives who is asked now.
    fn after(&mut self, pause: Duration, assignments: &[ProbeAssignment], alone: bool) -> Vec<String> {
        self.now += pause;
        let draw = || 0.5;
        self.duties.assign(&self.snapshot, assignments, &"me".into(), alone, self.now, draw);
        let due = self.duties.take_due(&self.snapshot.policy.health_check, self.now, draw);
        due.into_iter().map(|(provider, _)| provider.to_string()).collect()
    }

    fn answered(&mut self, provider: &str) {
        self.duties.ended(&provider.into());
    }
}

#[test]
fn a_node_asks_those_that_are_assigned_to_it_and_no_others() {
    let mut node = Node::new();
    let assignments =
        [assignment("a", &["me"], 0), assignment("b", &["other"], 0), assignment("unasked", &["me"], 0)];
    assert!(node.after(Duration::ZERO, &assignments, false).is_empty());
    assert_eq!(node.after(FIRST, &assignments, false), ["a"]);
    assert!(node.after(FIRST, &assignments, false).is_empty(), "one at a time");
    node.answered("a");
    assert!(node.after(INTERVAL - FIRST * 2, &assignments, false).is_empty(), "not before its interval");
    assert_eq!(node.after(FIRST * 2, &assignments, false), ["a"]);
}

#[test]
fn an_assignment_that_goes_to_another_is_given_up() {
    let mut node = Node::new();
    node.after(Duration::ZERO, &[assignment("a", &["me"], 0)], false);
    assert!(node.after(FIRST, &[assignment("a", &["other"], 0)], false).is_empty());
    assert!(node.after(INTERVAL * 2, &[], false).is_empty());
    assert_eq!(node.duties.len(), 0);
}

#[test]
fn a_probe_that_is_wanted_at_once_is_sent_at_once_and_once() {
    let mut node = Node::new();
    node.after(Duration::ZERO, &[assignment("a", &["me"], 4)], false);
    node.after(FIRST, &[assignment("a", &["me"], 4)], false);
    // Wanted while another is on its way: that one began before.
    let wanted = [assignment("a", &["me"], 5)];
    let moment = Duration::from_millis(1);
    assert!(node.after(moment, &wanted, false).is_empty());
    node.answered("a");
    assert_eq!(node.after(moment, &wanted, false), ["a"]);
    node.answered("a");
    assert!(node.after(moment, &wanted, false).is_empty());
}

#[test]
fn a_node_that_is_cut_off_asks_all_and_as_much_more_seldom_as_there_are_nodes() {
    let mut node = Node::new();
    node.after(Duration::ZERO, &[assignment("a", &["other"], 0)], false);
    // Three nodes spread their first probes over three intervals; a draw of a half is in the middle.
    assert!(node.after(Duration::ZERO, &[], true).is_empty());
    assert!(node.after(INTERVAL, &[], true).is_empty());
    assert_eq!(node.after(INTERVAL, &[], true), ["a", "b"]);
    node.answered("a");
    node.answered("b");
    assert!(node.after(INTERVAL * 2, &[], true).is_empty());
    assert_eq!(node.after(INTERVAL, &[], true), ["a", "b"]);
    // Back under orders.
    node.answered("a");
    node.answered("b");
    let orders = [assignment("a", &["me"], 0), assignment("b", &["other"], 0)];
    assert_eq!(node.after(INTERVAL * 3, &orders, false), ["a"]);
    node.answered("a");
    assert_eq!(node.after(INTERVAL, &orders, false), ["a"], "at the cluster's pace again");
}

#[test]
fn a_node_that_runs_alone_asks_at_its_interval() {
    let mut node = Node::new();
    node.after(Duration::ZERO, &[], true);
    assert_eq!(node.after(FIRST, &[], true), ["a", "b"]);
    node.answered("a");
    assert_eq!(node.after(INTERVAL, &[], true), ["a"], "b has not answered");
    assert_eq!(node.duties.next(), None, "both are on their way");
}

#[test]
fn nothing_is_asked_where_health_checks_are_off() {
    let mut node = Node::new();
    node.snapshot.policy.health_check.enabled = false;
    node.after(Duration::ZERO, &[assignment("a", &["me"], 0)], false);
    assert!(node.after(INTERVAL, &[assignment("a", &["me"], 9)], false).is_empty());
    assert!(node.after(INTERVAL, &[], true).is_empty());
}
