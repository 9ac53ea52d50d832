//! What to put into the configurations.

use super::{Folder, Subject};
use cliproxy_host::tls::Role;
use std::fmt::Write as _;

/// Says what was made, and how to use it.
pub(super) fn text(folder: &Folder, subjects: &[Subject], days: u32) -> String {
    let mut text = String::new();
    let hosts = subjects.iter().filter(|subject| subject.role == Role::ControlPlane);
    let (mut endpoints, mut one_host) = (Vec::new(), false);
    for endpoint in hosts.map(|plane| format!("\"https://{}:8319\"", host(plane))) {
        if endpoints.contains(&endpoint) {
            one_host = true;
        } else {
            endpoints.push(endpoint);
        }
    }
    if one_host {
        text.push_str(
            "# Control planes of one host listen on ports of their own, which control_plane.endpoints name all.\n\n",
        );
    }
    for subject in subjects {
        let _ = writeln!(text, "# {} {}, for {days} days", subject.role, subject.name);
        let _ = writeln!(text, "control_plane:");
        match subject.role {
            Role::ControlPlane => {
                let _ = writeln!(text, "  nodes_listen: \"0.0.0.0:8319\"");
            }
            Role::Node if endpoints.is_empty() => {
                let _ = writeln!(
                    text,
                    "  # endpoints: where control planes are reached, as [\"https://cp.example:8319\"]"
                );
            }
            Role::Node => {
                let _ = writeln!(text, "  endpoints: [{}]", endpoints.join(", "));
            }
        }
        let _ = writeln!(text, "  tls:");
        let (cert, key) = (folder.certificate(subject), folder.key(subject));
        for (name, path) in [("ca", &folder.authority()), ("cert", &cert), ("key", &key)] {
            let _ = writeln!(text, "    {name}: \"{}\"", path.display());
        }
        text.push('\n');
    }
    let key = folder.authority_key();
    let _ = write!(
        text,
        "Each process needs the three files that it names, and none needs {}: whoever has that can be any node and any \
         control plane.\nBefore the days are over, run this again with --renew; the processes read the new files by \
         themselves.",
        key.display()
    );
    text
}

/// Gives what a control plane is reached by, of which an IPv6 address stands in brackets in a URL.
fn host(plane: &Subject) -> String {
    let host = plane.hosts.first().unwrap_or(&plane.name);
    match host.parse() {
        Ok(std::net::IpAddr::V6(address)) => format!("[{address}]"),
        _ => host.clone(),
    }
}
