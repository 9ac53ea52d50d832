//! Whose a connection is.

use std::{
    net::{SocketAddr, SocketAddrV4},
    path::Path,
};

/// How often the kernel's table is read for a socket that should be in it.
const READINGS: usize = 5;

/// Tells whether `process` has the other end of the gate's connection with `peer`.
pub(super) fn owns(process: u32, gate: SocketAddr, peer: SocketAddr) -> bool {
    let (SocketAddr::V4(gate), SocketAddr::V4(peer)) = (gate, peer) else { return false };
    // While others come and go, a reading of the table may lack a socket that is there.
    let Some(socket) = (0..READINGS).find_map(|_| socket_between(peer, gate)) else { return false };
    let link = format!("socket:[{socket}]");
    let Ok(files) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    files.flatten().any(|file| std::fs::read_link(file.path()).is_ok_and(|to| to == Path::new(&link)))
}

/// Finds the number of the socket at `own` that is connected with `other`. The port alone says nothing: connections
/// with others may have it too, also such as are over.
fn socket_between(own: SocketAddrV4, other: SocketAddrV4) -> Option<String> {
    let (own, other) = (shown(own), shown(other));
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let mut rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1) == Some(&own.as_str()) && row.get(2) == Some(&other.as_str()))?;
    row.get(9).map(|socket| (*socket).to_owned())
}

/// Writes an address as the kernel's table does.
fn shown(address: SocketAddrV4) -> String {
    let [a, b, c, d] = address.ip().octets();
    format!("{d:02X}{c:02X}{b:02X}{a:02X}:{:04X}", address.port())
}
