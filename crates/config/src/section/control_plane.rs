//! `control_plane`: where it listens, where nodes find it, where it keeps its state.

use crate::field::Field;
use cliproxy_domain::Secret;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
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
    /// Where the nodes reach this replica, for the other replicas to tell their nodes: `control_plane.advertise_url`. The
    /// address that is listened on unless given.
    pub advertise_url: Option<String>,
}

/// `control_plane.tls`: PEM files, read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificates of those that sign for the other side.
    pub ca: PathBuf,
    /// This process's certificate, with what is between it and the signer.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A database that the control plane can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// One file, for one control plane.
    Sqlite {
        /// The file; relative paths start at the working directory.
        path: PathBuf,
    },
    /// A Postgres server, for any number of control planes.
    Postgres {
        /// Its address, which may hold a password.
        url: Secret,
    },
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
    if let Some(list) = section.section("endpoints") {
        let endpoints: Vec<String> = list.items().iter().filter_map(read_endpoint).collect();
        if list.is_empty_list() {
            list.refuse_key(
                "the list is empty; name a control plane such as `http://127.0.0.1:8319`, or remove the key",
            );
        } else if !endpoints.is_empty() {
            plane.endpoints = endpoints;
            plane.endpoints_given = true;
        }
    }
    let database = section.section("database").and_then(|section| section.child("url"));
    if let Some(database) = database.and_then(|field| read_database(&field)) {
        plane.database = database;
    }
    plane
}

fn read_endpoint(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let url = url::Url::parse(&text.value).ok();
    match url {
        Some(url) if url.scheme() == "https" => {
            field.refuse("`https` to the control plane is not available yet; write `http://`");
            None
        }
        Some(url) if url.scheme() == "http" && url.host().is_some() && matches!(url.path(), "" | "/") => {
            Some(text.value.trim_end_matches('/').to_owned())
        }
        _ => {
            field.refuse(
                "this is not the address of a control plane; write one such as `http://127.0.0.1:8319`",
            );
            None
        }
    }
}

/// Reads the database's address. It is never shown: such addresses hold passwords.
fn read_database(field: &Field<'_>) -> Option<Database> {
    let text = field.text()?;
    let url = text.value.as_str();
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        field.refuse("a Postgres database is not available yet; write `sqlite://` and the path of a file");
        return None;
    }
    let path = url.strip_prefix("sqlite://").unwrap_or_default();
    if path.is_empty() || path.contains(['?', '#']) || path.starts_with(':') || path.ends_with('/') {
        field.refuse("this is not the address of a database; write `sqlite://` and the path of a file, such as `sqlite://./data/cliproxy.db`");
        return None;
    }
    Some(Database::Sqlite { path: PathBuf::from(path) })
}
