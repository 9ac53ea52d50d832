//! What all hosts of a run share.

use crate::{
    plan::Plan,
    seams::{START, SimClock, SimNet},
    story::Story,
    truth::Truth,
};
use cliproxy_config::{Environment, Load};
use cliproxy_dataplane::live::Live;
use cliproxy_domain::{HistoryId, Snapshot, WallTime};
use cliproxy_host::{Clock, Entropy, MemoryDisk, SteadyClock};
use cliproxy_store::MemoryStore;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

/// Where nodes connect to a control plane.
pub const NODES_PORT: u16 = 8319;
/// Where operators connect to it.
pub const OPERATORS_PORT: u16 = 8318;
/// Where clients connect to a node.
pub const CLIENTS_PORT: u16 = 8317;
/// Where providers answer.
pub const PROVIDER_PORT: u16 = 80;

/// The token of the operator, and its hash.
pub const TOKEN: (&str, [u8; 32]) = (
    "ada's token",
    [
        0xc4, 0xd5, 0x22, 0x81, 0xfd, 0x97, 0xe0, 0x22, 0xc2, 0xe2, 0xcf, 0x23, 0x15, 0x07, 0x3a, 0xc1, 0x41,
        0xfa, 0x3a, 0xaf, 0xac, 0xd3, 0xfc, 0x95, 0x8c, 0x28, 0x7d, 0x4a, 0x24, 0xdc, 0xa0, 0x1a,
    ],
);

/// The database, the disks and clocks, and what is written down.
pub struct World {
    /// The seed of it all.
    pub seed: u64,
    /// What it stands for.
    pub plan: Plan,
    /// The database that all control planes share, by a connection of nobody's.
    pub store: MemoryStore,
    /// The network, as nobody in particular sees it.
    pub net: SimNet,
    /// What happened.
    pub story: Story,
    /// What really happened.
    pub truth: Arc<Mutex<Truth>>,
    /// The connection of each control plane, since its last start.
    connections: Mutex<BTreeMap<String, MemoryStore>>,
    /// What is to become of whoever leads first.
    pub overtaking: Overtaking,
    /// The names of the control planes.
    pub controls: Vec<String>,
    /// The names of the nodes.
    pub nodes: Vec<String>,
    /// What each node knows, since its last start.
    pub lives: Mutex<BTreeMap<String, Arc<Live>>>,
    /// What is wrong with providers.
    trouble: Mutex<Trouble>,
    disks: BTreeMap<String, MemoryDisk>,
    clocks: BTreeMap<String, SimClock>,
}

/// What is wrong with providers.
#[derive(Default)]
struct Trouble {
    outages: BTreeSet<String>,
    limited: BTreeMap<(String, String), Duration>,
}

/// What is to become of whoever leads first. Clones are the same.
#[derive(Clone, Default)]
pub struct Overtaking(Arc<Mutex<Cut>>);

/// Whether somebody is cut off.
#[derive(Default)]
enum Cut {
    #[default]
    Nobody,
    /// Whoever is the next to lead will be.
    Next,
    /// This one is.
    Now(MemoryStore),
}

impl Overtaking {
    fn set(&self, begins: bool) {
        let before = std::mem::replace(
            &mut *self.0.lock().expect("no panic"),
            if begins { Cut::Next } else { Cut::Nobody },
        );
        if let Cut::Now(connection) = before {
            connection.connection_faults().hang(false);
        }
    }

    /// Tells whether anybody is cut off, or will be.
    pub fn is_under_way(&self) -> bool {
        !matches!(*self.0.lock().expect("no panic"), Cut::Nobody)
    }

    /// Takes note that whoever has this connection leads.
    pub fn leads(&self, connection: &MemoryStore) {
        let mut cut = self.0.lock().expect("no panic");
        if matches!(*cut, Cut::Next) {
            connection.connection_faults().hang(true);
            *cut = Cut::Now(connection.clone());
        }
    }
}

impl World {
    /// Makes the world of a seed.
    pub fn new(seed: u64, plan: Plan) -> Arc<Self> {
        let named = |kind: &str, count: usize| (1..=count).map(|n| format!("{kind}-{n}")).collect::<Vec<_>>();
        let (controls, nodes) = (named("cp", plan.controls), named("dp", plan.nodes));
        let clocks = plan.clocks.iter().map(|(name, off, drift)| (name.clone(), SimClock::new(*off, *drift)));
        Arc::new(Self {
            seed,
            store: MemoryStore::with_clock(HistoryId("history-1".into()), database_time),
            connections: Mutex::default(),
            overtaking: Overtaking::default(),
            net: SimNet::new(),
            story: Story::default(),
            truth: Arc::default(),
            lives: Mutex::default(),
            trouble: Mutex::default(),
            disks: nodes.iter().map(|name| (name.clone(), MemoryDisk::default())).collect(),
            clocks: clocks.collect(),
            controls,
            nodes,
            plan,
        })
    }

    /// Connects a control plane that begins to the database.
    pub fn connect(&self, control: &str) -> MemoryStore {
        let connection = self.store.connect();
        self.connections.lock().expect("no panic").insert(control.to_owned(), connection.clone());
        connection
    }

    /// Has whoever leads from now on be cut off from the database, or connects them again.
    pub fn overtake(&self, begins: bool) {
        self.overtaking.set(begins);
    }

    /// Gives the connection of a control plane.
    pub fn connection(&self, control: &str) -> MemoryStore {
        self.connections.lock().expect("no panic")[control].clone()
    }

    /// Has a provider answer with 503, or as usual.
    pub fn set_outage(&self, provider: &str, is_out: bool) {
        let outages = &mut self.trouble.lock().expect("no panic").outages;
        if is_out {
            outages.insert(provider.to_owned());
        } else {
            outages.remove(provider);
        }
    }

    /// Has a provider refuse a key with that wait, or not.
    pub fn set_limited(&self, provider: &str, key: &str, wait: Option<Duration>) {
        let limited = &mut self.trouble.lock().expect("no panic").limited;
        let key = (provider.to_owned(), key.to_owned());
        match wait {
            Some(wait) => limited.insert(key, wait),
            None => limited.remove(&key),
        };
    }

    /// Gives the status that a provider answers with for a key now, and the wait that it names.
    pub fn verdict(&self, provider: &str, key: &str) -> (u16, Option<Duration>) {
        let trouble = self.trouble.lock().expect("no panic");
        if trouble.outages.contains(provider) {
            return (503, None);
        }
        match trouble.limited.get(&(provider.to_owned(), key.to_owned())) {
            Some(wait) => (429, Some(*wait)),
            None => (200, None),
        }
    }

    /// Gives randomness of its own to whoever has that name.
    pub fn entropy(&self, name: &str) -> Entropy {
        Entropy::seeded(self.seed ^ xxhash_rust::xxh3::xxh3_64(name.as_bytes()))
    }

    /// Gives the disk of a node, which outlives its process.
    pub fn disk(&self, name: &str) -> MemoryDisk {
        self.disks[name].clone()
    }

    /// Gives the clock of a host as a process that begins now sees it, made steady as the program does it.
    pub fn steady(&self, name: &str) -> Arc<dyn Clock> {
        Arc::new(SteadyClock::over(self.clock(name), || turmoil::sim_elapsed().unwrap_or_default()))
    }

    /// Gives the clock of a host.
    pub fn clock(&self, name: &str) -> SimClock {
        self.clocks[name].clone()
    }

    /// Lists where nodes find control planes, each node beginning with another.
    pub fn endpoints(&self, node: &str) -> Vec<String> {
        let first = self.nodes.iter().position(|name| name == node).unwrap_or_default();
        let mut endpoints: Vec<_> =
            self.controls.iter().map(|name| format!("http://{name}:{NODES_PORT}")).collect();
        let first = first % endpoints.len();
        endpoints.rotate_left(first);
        endpoints
    }

    /// Adds a line to the story.
    pub fn tell(&self, host: &str, what: &str) {
        self.story.tell(host, what);
    }
}

/// The time by the database's clock, which is right.
fn database_time() -> WallTime {
    START.plus(turmoil::sim_elapsed().unwrap_or_default())
}

/// Reads a configuration; gives what is wrong with it.
pub fn read(text: &str) -> Result<Snapshot, String> {
    let request = Load {
        file: None,
        overrides: Vec::new(),
        data_dir: "data".into(),
        environment: Environment::fixed([("", ""); 0]),
        wall: || WallTime(0),
        purpose: cliproxy_config::Purpose::Any,
    };
    let config = cliproxy_config::load_text("config.yaml", text, &request);
    config.map(|config| config.snapshot).map_err(|error| error.to_string())
}

/// What may be had in all of `gamma`, in tokens.
pub const TOKENS_OF_GAMMA: u64 = 400;
/// How often `hasty` may ask within any minute.
pub const REQUESTS_OF_HASTY: usize = 10;
/// The models that only `gamma` has, and the key of the client who asks for each.
pub const SCARCE: [(&str, &str); 2] = [("scarce", "thrifty's key"), ("rated", "hasty's key")];

/// Two providers with two keys each, the second for when the first cannot; and one of which little may be had, with
/// clients of its own, so that whatever else is asked for is answered in any case.
pub const CONFIG: &str = r#"
server:
  timeouts: {connect: 1s, first_byte: 4s, idle: 4s, total: 15s}
  retries: {max_attempts: 4, budget_percent: 100}
  operations:
    cooldown: {detection_window: 10s, error_threshold: 8}
providers:
  alpha:
    kind: openai_compatible
    base_url: "http://alpha"
    models: ["m"]
    priority: 1
    weight: 1000
    credentials:
      - {name: one, api_key: "alpha.one"}
      - {name: two, api_key: "alpha.two"}
    cooldown: {rate_limit_duration: 3s, error_duration: 2s}
  beta:
    kind: openai_compatible
    base_url: "http://beta"
    models: ["m"]
    priority: 2
    credentials:
      - {name: one, api_key: "beta.one"}
      - {name: two, api_key: "beta.two"}
    cooldown: {rate_limit_duration: 3s, error_duration: 2s}
  gamma:
    kind: openai_compatible
    base_url: "http://gamma"
    models: ["scarce", "rated"]
    credentials:
      - {name: one, api_key: "gamma.one"}
    quota: {limit: 400, unit: tokens, reset: monthly, on_loss: strict}
clients:
  - name: thrifty
    keys: [{sha256: "94bd5bde847c30afff6c682268159895eaed21b6ac3f6d9557bb27a6ce54b20c"}]
    models: ["scarce"]
    budget: {limit: 100, unit: requests, reset: daily, on_loss: strict}
  - name: hasty
    keys: [{sha256: "5708d33760b9af97f019b88696ebcb8877bd783f07f60b892c8aedcc9eeaa9ef"}]
    models: ["rated"]
    rate_limit: {requests_per_minute: 10, on_loss: strict}
"#;
