//! Where the programs of Postgres are, whose its processes are, and what port is free.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU16, Ordering},
};

/// Where distributions put programs that are not to be in the path.
const VERSIONED: &str = "/usr/lib/postgresql";

/// Below the ports that the kernel gives to outgoing connections, so that nobody takes one while its cluster is down.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 12_000;

/// The user that Postgres' processes get when this process is root's, as /etc/passwd has it: its ids.
#[derive(Clone, Copy, Debug)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Finds the folder with `initdb`, `pg_ctl` and `psql`: of the newest version that is installed, or in the path.
pub(super) fn binaries() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(VERSIONED)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let in_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let newest_first = versions.into_iter().rev().map(|(_, folder)| folder);
    let found = newest_first.chain(in_path.unwrap_or_default()).find(|folder| has_all(folder));
    match found {
        Some(folder) => folder,
        None => panic!("Postgres is not installed: there is no initdb; run ./test, or install `postgresql`"),
    }
}

fn has_all(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "psql"].iter().all(|program| folder.join(program).is_file())
}

/// Gives the user that Postgres must be run as; none when this process is unprivileged itself.
pub(super) fn user() -> Option<User> {
    use std::os::unix::fs::MetadataExt as _;
    // The owner of one's own entry is who one is.
    let own = std::fs::metadata("/proc/self").map_or(0, |process| process.uid());
    if own != 0 {
        return None;
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = ["postgres", "nobody"].iter().find_map(|name| user_of(&passwd, name));
    assert!(found.is_some(), "no user for Postgres: neither `postgres` nor `nobody` is in /etc/passwd");
    found
}

fn user_of(passwd: &str, name: &str) -> Option<User> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
}

/// Finds a port that nobody listens on; each process begins elsewhere.
pub(super) fn free_port() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let own = (std::process::id().wrapping_mul(7919) % u32::from(PORTS)) as u16;
    for _ in 0..PORTS {
        let offset = own.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % PORTS;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST_PORT + offset)).is_ok() {
            return FIRST_PORT + offset;
        }
    }
    panic!("no port is free for a scratch Postgres cluster");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgresx:x:7:8::/:\npostgres:x:112:118::/:/bin/sh\n";
        let user = user_of(passwd, "postgres").unwrap();
        assert_eq!((user.uid, user.gid), (112, 118));
        assert!(user_of(passwd, "nobody").is_none());
    }

    #[test]
    fn the_next_cluster_gets_another_port() {
        assert_ne!(free_port(), free_port());
    }
}
