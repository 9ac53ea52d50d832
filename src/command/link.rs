//! What the planes prove themselves to each other by, and what is said where they do not.

use anyhow::Context as _;
use cliproxy_config::{Config, Tls as Files};
use cliproxy_host::{
    SystemClock, SystemDisk, Tls,
    tls::{Paths, Role},
};
use std::{net::SocketAddr, path::Path, sync::Arc};

/// Reads the certificates that the configuration names, if any.
pub fn tls(config: &Config, role: Role) -> anyhow::Result<Option<Arc<Tls>>> {
    let Some(Files { ca, cert, key }) = &config.control_plane.tls else { return Ok(None) };
    let paths = Paths { ca: text(ca)?, cert: text(cert)?, key: text(key)? };
    // Relative paths start at the working directory, as all of the configuration's. The clock is the machine's own:
    // certificates go by the calendar, also when it is set right after the start.
    let disk = Arc::new(SystemDisk::new(""));
    let tls = Tls::load(disk, paths, role, Arc::new(SystemClock))?;
    let own = tls.own();
    tracing::info!(
        identity = %own.identity, not_after_ms = own.validity.not_after.0,
        "this process proves itself to the other plane by its certificate"
    );
    Ok(Some(Arc::new(tls)))
}

fn text(path: &Path) -> anyhow::Result<String> {
    path.to_str().map(str::to_owned).with_context(|| format!("the path {} is not UTF-8", path.display()))
}

/// Refuses certificates where both planes are one process.
pub fn refuse_tls(config: &Config) -> anyhow::Result<()> {
    if config.control_plane.tls.is_some() {
        anyhow::bail!(
            "control_plane.tls is set, and `cliproxy serve` is both planes in one process, which cannot prove to itself \
             who it is; remove it, or run `cliproxy controlplane` and `cliproxy dataplane` with a certificate each"
        );
    }
    Ok(())
}

/// Says at each start that keys cross the network in the clear, where the operator insists on it.
pub fn warn_of_open_listener(config: &Config, nodes: SocketAddr) {
    if config.control_plane.tls.is_none() && !nodes.ip().to_canonical().is_loopback() {
        tracing::warn!(
            %nodes,
            "nodes are listened for in the clear, as control_plane.allow_plaintext says: whoever reaches this address \
             is given the providers' keys"
        );
    }
}

/// The same for a node, of the endpoints that it connects to.
pub fn warn_of_open_endpoints(endpoints: &[String]) {
    for endpoint in endpoints {
        if let Some(authority) = endpoint.strip_prefix("http://")
            && !is_loopback(authority)
        {
            tracing::warn!(
                endpoint,
                "the control plane is connected to in the clear, as control_plane.allow_plaintext says: whoever is \
                 between can read the providers' keys and replace the configuration"
            );
        }
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        for own in ["localhost:8319", "127.0.0.1:8319", "127.9.9.9", "[::1]:8319", "[::ffff:127.0.0.1]:1"] {
            assert!(is_loopback(own), "{own}");
        }
        for other in ["control:8319", "10.0.0.1:8319", "0.0.0.0:8319", "localhost.example:1", "[fe80::1]:1"] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
