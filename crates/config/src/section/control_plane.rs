//! `control_plane`: where it listens, where nodes find it, where it keeps its state.

mod database;
mod link;
mod tls;

pub use database::Database;
pub use tls::Tls;

use crate::field::Field;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

/// The process settings of the control plane, and of a data plane that looks for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPlane {
    /// Where operators connect: gRPC and REST; 127.0.0.1:8318 unless given.
    pub listen: SocketAddr,
    /// Where nodes connect, by gRPC; 127.0.0.1:8319 unless given.
    pub nodes_listen: SocketAddr,
    /// Where a data plane finds control planes; never empty.
    pub endpoints: Vec<String>,
    /// Whether the file names the endpoints, so that they are not just the default.
    pub endpoints_given: bool,
    /// Where the control plane keeps its state.
    pub database: Database,
    /// The certificates of this process for the connections between the planes. Without them both ends must be on this
    /// machine.
    pub tls: Option<Tls>,
    /// Whether nodes may be listened for, and control planes be connected to, without TLS beyond this machine:
    /// `control_plane.allow_plaintext`. No unless given.
    pub allow_plaintext: bool,
    /// The name of this replica, as operators and other replicas see it: `control_plane.name`. One is made at each start
    /// unless given.
    pub name: Option<String>,
    /// Where the nodes reach this replica, for the other replicas to tell their nodes: `control_plane.advertise_url`. Not
    /// told unless given: an address that is listened on says little to other machines.
    pub advertise_url: Option<String>,
}

impl ControlPlane {
    /// Tells whether this process may have its control plane in common with other nodes.
    pub fn may_be_shared(&self) -> bool {
        self.endpoints_given || matches!(self.database, Database::Postgres { .. })
    }
}

/// Reads the section; without one the database is `cliproxy.db` in `data_dir`.
pub fn read(root: &Field<'_>, data_dir: &Path) -> ControlPlane {
    let mut plane = ControlPlane {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8318)),
        nodes_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8319)),
        endpoints: vec!["http://127.0.0.1:8319".to_owned()],
        endpoints_given: false,
        database: Database::Sqlite { path: data_dir.join("cliproxy.db") },
        tls: None,
        allow_plaintext: false,
        name: None,
        advertise_url: None,
    };
    let Some(section) = root.section("control_plane") else { return plane };
    if let Some(listen) = section.child("listen").and_then(|field| field.listen()) {
        plane.listen = listen;
    }
    if let Some(listen) = section.child("nodes_listen").and_then(|field| field.listen()) {
        plane.nodes_listen = listen;
    }
    if let Some(allow) = section.child("allow_plaintext").and_then(|field| field.boolean()) {
        plane.allow_plaintext = allow;
    }
    plane.tls = section.section("tls").and_then(|section| tls::read(&section));
    plane.name = section.child("name").and_then(|field| read_name(&field));
    let link = link::Link::of(&section, &plane);
    if let Some(endpoints) = link.read_endpoints() {
        plane.endpoints = endpoints;
        plane.endpoints_given = true;
    } else if plane.tls.is_some() {
        plane.endpoints = vec!["https://127.0.0.1:8319".to_owned()];
    }
    link.refuse_open_listener(plane.nodes_listen);
    plane.advertise_url = link.read_advertised();
    let database = section.section("database").and_then(|section| section.child("url"));
    if let Some(database) = database.and_then(|field| database::read(&field)) {
        plane.database = database;
    }
    plane
}

/// Reads the name of a replica: what the audit log, metrics and the database can hold without harm.
fn read_name(field: &Field<'_>) -> Option<String> {
    const LONGEST: usize = 64;
    let text = field.text()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.value.len() <= LONGEST && text.value.chars().all(fits) {
        return Some(text.value);
    }
    field.refuse(format!(
        "{} is not a name; write at most {LONGEST} letters, digits, `-`, `_` and `.`",
        field.shown()
    ));
    None
}
