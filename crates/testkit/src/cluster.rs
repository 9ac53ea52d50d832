//! A whole cluster for tests that break it: Postgres, control planes and nodes, each a process of its own, in front of a
//! provider that is played here.
//!
//! Between any two of them is a [`Gate`], so that each way can be broken or fall silent by itself: the nodes reach each
//! control plane over one, and each control plane reaches the database over one.

mod control;
mod layout;
mod node;
mod settle;
mod standby;

pub use self::{control::Control, layout::Layout, node::Node};
use crate::{
    Client, Network, Plan, Postgres, Traffic,
    books::{self, Books},
    mock::MockProvider,
    poll::LONG_PATIENCE,
    poll_every,
};
use serde_json::Value;
use std::time::Duration;

/// The model that the cluster serves.
pub const MODEL: &str = "m";
/// The database of the control planes.
pub const DATABASE: &str = "cliproxy";

/// From one look into the database to the next: each takes a process.
const LOOK: Duration = Duration::from_millis(50);

/// The processes. Dropping it ends them.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes; before the control planes, so that they end first.
    pub nodes: Vec<Node>,
    /// The control planes.
    pub controls: Vec<Control>,
    /// Their database.
    pub postgres: Postgres,
    /// The provider.
    pub mock: MockProvider,
    /// What they are joined by, when they have hosts of their own.
    pub network: Option<Network>,
}

impl Cluster {
    /// Starts it, and waits until every node is connected.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(mut layout: Layout) -> Self {
        let postgres = Postgres::launch();
        postgres.create_database(DATABASE, None);
        let mock = layout.provider();
        let mut controls = Vec::new();
        for number in 0..layout.controls {
            controls.push(Control::start(&mut layout, number, &postgres, &mock).await);
        }
        let endpoints: Vec<String> = controls.iter().map(|control| control.endpoint.clone()).collect();
        let mut nodes = Vec::new();
        for number in 0..layout.nodes {
            nodes.push(Node::start(&mut layout, number, &endpoints).await);
        }
        let cluster = Self { nodes, controls, postgres, mock, network: layout.network.take() };
        cluster.connected(LONG_PATIENCE).await;
        cluster
    }

    /// Waits until every node says that it is connected to a control plane.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn connected(&self, limit: Duration) {
        for node in &self.nodes {
            node.connected(limit).await;
        }
    }

    /// Starts to ask all nodes by turns, `rate` times a second.
    pub fn traffic(&self, rate: u32) -> Traffic {
        Traffic::start(self.plan(rate))
    }

    /// Starts to ask likewise as a load balancer would: in place of a node that is not there, or not ready, it asks the next.
    pub fn balanced_traffic(&self, rate: u32) -> Traffic {
        Traffic::start(Plan { goes_on: true, ..self.plan(rate) })
    }

    /// Says how to ask all nodes by turns, `rate` times a second.
    pub fn plan(&self, rate: u32) -> Plan {
        let nodes = self.nodes.iter().map(|node| (node.name.clone(), node.client.clone())).collect();
        Plan { nodes, model: MODEL.into(), rate, goes_on: false }
    }

    /// Reads what the database says was used.
    pub fn counted(&self) -> Books {
        books::of_database(&self.postgres, DATABASE)
    }

    /// Reads what the provider's log says was used.
    pub fn truth(&self) -> Books {
        books::of_log(&self.mock.log())
    }

    /// Asks the first control plane that runs for something below `/v0/operations`.
    ///
    /// # Panics
    /// When none answers with 200.
    pub async fn get(&self, path: &str) -> Value {
        for control in &self.controls {
            if let Some(answer) = control.try_get(path).await {
                return answer;
            }
        }
        panic!("no control plane answers {path}");
    }

    /// Gives the client of an operator of the first control plane.
    pub fn operators(&self) -> &Client {
        &self.controls[0].operators
    }

    /// Waits until one control plane leads, other than those that are left out; gives its place among them.
    ///
    /// # Panics
    /// When none does in time.
    pub async fn leader(&self, except: &[usize], limit: Duration) -> usize {
        let found = || async {
            let holder = self.postgres.try_sql(DATABASE, LEADER).ok()?;
            // Its name, and what tells its processes apart.
            let (name, _) = holder.trim().rsplit_once(':')?;
            let place = self.controls.iter().position(|control| control.name == name)?;
            (!except.contains(&place)).then_some(place)
        };
        poll_every(LOOK, "leading control plane", limit, found).await
    }

    /// Gives the epoch of the leading; 0 before the first.
    pub fn epoch(&self) -> u64 {
        let epoch = self.postgres.try_sql(DATABASE, EPOCH).unwrap_or_default();
        epoch.trim().parse().unwrap_or(0)
    }
}

const LEADER: &str = "SELECT holder FROM lease WHERE name = 'control-loop' AND holder IS NOT NULL \
    AND end_ms > (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const EPOCH: &str = "SELECT epoch FROM lease WHERE name = 'control-loop'";
