//! `server.failover`: what nodes do for each other.

mod identity;
mod pair;
mod peers;
mod sessions;

use super::{control_plane::ControlPlane, server::Server, timeouts::LONGEST};
use crate::field::Field;
use identity::Identity;
use peers::Peers;
use std::time::Duration;

pub use sessions::settle as settle_sessions;

/// Nothing shorter tells a lost node from a busy one.
const SHORTEST: Duration = Duration::from_millis(100);

/// How nodes stand in for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// Which way.
    pub mode: Mode,
    /// How often another node is asked for its health; 10 s unless given.
    pub health_check_interval: Duration,
    /// How long a node must be unwell, or well again, before that counts; 30 s unless given.
    pub failover_timeout: Duration,
}

/// The ways in which nodes stand in for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One node serves and another one waits.
    ActivePassive {
        /// The one that waits. It names the pair.
        backup_url: String,
        /// Which of the two this node is.
        part: Part,
    },
    /// All nodes serve.
    ActiveActive {
        /// The other nodes, sorted; never this one.
        peers: Vec<String>,
    },
}

/// Which node of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The one that serves while it is well.
    Primary,
    /// The one that waits.
    Backup {
        /// The one that it stands in for; `None` where only the control plane knows.
        primary_url: Option<String>,
    },
}

/// Reads the section; `None` without one, and where it is not enabled.
pub fn read(root: &Field<'_>, server: &Server, plane: &ControlPlane) -> Option<Failover> {
    let section = root.find("server").and_then(|server| server.section("failover"))?;
    let enabled = section.child("enabled").is_none_or(|field| field.boolean() != Some(false));
    let identity = Identity::new(server, root.findings().environment);
    let (health_check_interval, failover_timeout) = read_times(&section);
    let peers = Peers::read(&section, &identity);
    let backup = section.child("backup_url");
    let Some(mode) = section.child("mode") else {
        section.refuse_key("`mode` is missing; write `active_passive` or `active_active`");
        return None;
    };
    let shares_plane = plane.may_be_shared();
    let mode = match mode.choice("mode", &[("active_passive", false), ("active_active", true)])? {
        false => pair::read(&mode, backup.as_ref(), &peers, &identity, shares_plane)?,
        true => {
            if let Some(backup) = backup {
                backup.refuse_key(
                    "in `active_active` all nodes serve; remove it, or write `mode: active_passive`",
                );
            }
            peers.equals(&mode, &identity, shares_plane)?
        }
    };
    enabled.then_some(Failover { mode, health_check_interval, failover_timeout })
}

/// Reads how often others are asked, and how long a change must last to count.
fn read_times(section: &Field<'_>) -> (Duration, Duration) {
    let (interval, timeout) = (section.child("health_check_interval"), section.child("failover_timeout"));
    let read = |field: &Option<Field<'_>>, default| {
        let given = field.as_ref().and_then(|field| field.duration_within(SHORTEST..=LONGEST));
        given.unwrap_or(default)
    };
    let times = (read(&interval, Duration::from_secs(10)), read(&timeout, Duration::from_secs(30)));
    if times.1 < times.0
        && let Some(field) = timeout.or(interval)
    {
        field.refuse(
            "`failover_timeout` is shorter than `health_check_interval`, so that one missed check would count; \
             write at least as much (they are `30s` and `10s` unless given)",
        );
    }
    times
}
