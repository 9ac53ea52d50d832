//! What a node does for others, from its configuration.

use cliproxy_config::{Config, Mode};
use cliproxy_dataplane::{FailoverSettings, Part, Way};

/// Hands on how the node stands in for others, if it does.
pub fn settings(config: &Config, shares_control_plane: bool) -> Option<FailoverSettings> {
    let failover = config.server.failover.as_ref()?;
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
    Some(FailoverSettings {
        way,
        check_interval: failover.health_check_interval,
        timeout: failover.failover_timeout,
        shares_control_plane,
    })
}
