//! What a node does for others, from its configuration.

use cliproxy_config::{Config, Mode};
use cliproxy_dataplane::{FailoverSettings, Part, Way};

/// Hands on how the node stands in for others, if it does.
///
/// # Errors
/// When others would be known by a control plane in common alone, and this process has none: the file names
/// `control_plane.endpoints`, which only `cliproxy dataplane` goes by.
pub fn settings(config: &Config, shares_control_plane: bool) -> anyhow::Result<Option<FailoverSettings>> {
    let Some(failover) = &config.server.failover else { return Ok(None) };
    let way = match &failover.mode {
        Mode::ActiveActive { peers } => Way::Equals { peers: peers.clone() },
        Mode::ActivePassive { backup_url, part } => {
            let (part, other) = match part {
                cliproxy_config::Part::Primary => (Part::Primary, Some(backup_url.clone())),
                cliproxy_config::Part::Backup { primary_url } => (Part::Backup, primary_url.clone()),
            };
            Way::Pair { name: backup_url.clone(), part, other }
        }
    };
    let knows_others = match &way {
        Way::Equals { peers } => !peers.is_empty(),
        Way::Pair { other, .. } => other.is_some(),
    };
    if !knows_others && !shares_control_plane {
        anyhow::bail!(
            "server.failover names no other node, and `cliproxy serve` is its own control plane, whatever \
             control_plane.endpoints says; name the nodes in server.failover.peers, use a Postgres database, or run \
             `cliproxy dataplane`"
        );
    }
    Ok(Some(FailoverSettings {
        way,
        check_interval: failover.health_check_interval,
        timeout: failover.failover_timeout,
        shares_control_plane,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_config::{Environment, Load, load_text};

    const ENDPOINTS: &str = "control_plane: {endpoints: ['http://127.0.0.1:8319']}\n";

    fn read(failover: &str, shares: bool) -> anyhow::Result<Option<FailoverSettings>> {
        let text = format!("{ENDPOINTS}server: {{listen: '127.0.0.1:8317', failover: {failover}}}\n");
        let load = Load {
            file: None,
            overrides: Vec::new(),
            data_dir: "data".into(),
            environment: Environment::new(|_| None),
            wall: || cliproxy_domain::WallTime(0),
            purpose: cliproxy_config::Purpose::Any,
        };
        settings(&load_text("config.yaml", &text, &load)?, shares)
    }

    #[test]
    fn a_node_that_knows_of_the_others_by_a_control_plane_alone_must_have_it_in_common() {
        for alone in ["{mode: active_active}", "{mode: active_passive, backup_url: 'http://127.0.0.1:8317'}"]
        {
            assert!(read(alone, true).unwrap().is_some());
            let refused = read(alone, false).unwrap_err().to_string();
            assert!(refused.contains("server.failover.peers"), "{refused}");
        }
        let named = "{mode: active_active, peers: ['http://127.0.0.1:8317', 'http://b:8317']}";
        assert!(read(named, false).unwrap().is_some());
    }
}
