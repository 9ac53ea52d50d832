//! What operators are told: `GET /v0/operations/failover`.

use super::{
    Failover, Way,
    election::Basis,
    others::{Known, Other},
};
use cliproxy_domain::WallTime;
use cliproxy_engine::role::{self, Part};
use serde::Serialize;
use std::time::Duration;

/// How a node stands among others, as it sees that itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// `active_passive`, `active_active`, or `off`.
    pub mode: &'static str,
    /// This node.
    pub node: String,
    /// `active` or `passive`.
    pub role: &'static str,
    /// `primary` or `backup`, of a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<&'static str>,
    /// What the role of a node of a pair goes by: `lease`, `checks`, or `starting`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_by: Option<&'static str>,
    /// Nodes that serve, this one included, as far as the nodes themselves know.
    pub live_nodes: usize,
    /// The other nodes.
    pub peers: Vec<ShownPeer>,
    /// When this was so.
    pub as_of: WallTime,
}

/// Another node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShownPeer {
    /// Where it is.
    pub url: String,
    /// Its name, once it has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Whether it counts.
    pub up: bool,
    /// `active`, `passive`, `leaving` or `silent`, as of its last check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<&'static str>,
    /// When it was last checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_check: Option<WallTime>,
    /// What was wrong then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Failover {
    /// Shows how this node stands among others.
    pub fn shown(&self) -> Shown {
        let role = if self.settle() { "active" } else { "passive" };
        let (now, wall) = (self.now(), self.clock.wall());
        let way = self.settings.as_ref().map(|settings| &settings.way);
        let (mode, part) = match way {
            None => ("off", None),
            Some(Way::Equals { .. }) => ("active_active", None),
            Some(Way::Pair { part: Part::Primary, .. }) => ("active_passive", Some("primary")),
            Some(Way::Pair { part: Part::Backup, .. }) => ("active_passive", Some("backup")),
        };
        let basis: Option<Basis> = self.election.as_ref().map(|election| election.lock().basis(now));
        Shown {
            mode,
            node: self.node.to_string(),
            role,
            part,
            role_by: basis.map(Basis::as_str),
            live_nodes: self.live_nodes(),
            peers: self.others.iter().map(|other| shown_peer(other, now, wall)).collect(),
            as_of: wall,
        }
    }
}

/// Words what another node said of itself.
fn said(known: &Known) -> Option<&'static str> {
    known.said.map(|said| match said {
        role::Other::Serves => "active",
        role::Other::Waits if known.has_role => "passive",
        // It waits for nobody: it serves as every node of `active_active` does, and one without failover.
        role::Other::Waits => "active",
        role::Other::Leaving => "leaving",
        role::Other::Silent => "silent",
    })
}

fn shown_peer(other: &Other, now: Duration, wall: WallTime) -> ShownPeer {
    let known = other.known();
    let said = said(&known);
    ShownPeer {
        url: other.url.clone(),
        node: known.node,
        up: known.neighbour.is_up(),
        said,
        last_check: known.checked.map(|checked| wall.minus(now.saturating_sub(checked))),
        error: known.error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_names_no_role_serves() {
        let word = |other, has_role| said(&Known { said: Some(other), has_role, ..Known::default() });
        assert_eq!(word(role::Other::Waits, false), Some("active"));
        assert_eq!(word(role::Other::Waits, true), Some("passive"));
        assert_eq!(word(role::Other::Silent, true), Some("silent"));
        assert_eq!(said(&Known::default()), None);
    }
}
