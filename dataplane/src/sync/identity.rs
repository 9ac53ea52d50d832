//! Who this node is: a name that stays over restarts, and a number that grows with each.

use cliproxy_domain::{Incarnation, NodeId};
use cliproxy_host::{Disk, Entropy};
use std::io;

/// A node's name and incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name.
    pub node: NodeId,
    /// The incarnation.
    pub incarnation: Incarnation,
}

/// Why a node does not know who it is.
#[derive(Debug, thiserror::Error)]
#[error("the node's identity could not be kept in its data directory: {0}")]
pub struct IdentityError(#[from] io::Error);

const FILE: &str = "node";

impl Identity {
    /// Reads the identity and counts this start. `name` overrides the one that was made at the first start; a file
    /// that cannot be understood counts as missing, with a new name, so that no incarnation is used twice.
    ///
    /// # Errors
    /// When the disk cannot be read or written: without it an incarnation might be used twice.
    pub fn next(disk: &dyn Disk, entropy: &Entropy, name: Option<NodeId>) -> Result<Self, IdentityError> {
        let saved = disk.read(FILE)?.and_then(|bytes| parse(&bytes));
        let (node, incarnation) = match (saved, name) {
            (Some((saved, last)), None) => (saved, last.next()),
            (Some((saved, last)), Some(name)) if saved == name => (name, last.next()),
            (_, name) => {
                let made = || NodeId::from(format!("dp-{:012x}", entropy.next_u64() >> 16));
                (name.unwrap_or_else(made), Incarnation(1))
            }
        };
        disk.write(FILE, format!("{node}\n{incarnation}\n").as_bytes())?;
        Ok(Self { node, incarnation })
    }
}

fn parse(bytes: &[u8]) -> Option<(NodeId, Incarnation)> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    let node = lines.next().filter(|name| !name.is_empty())?;
    Some((node.into(), Incarnation(lines.next()?.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_host::MemoryDisk;

    #[test]
    fn the_name_stays_and_the_incarnation_grows() {
        let (disk, entropy) = (MemoryDisk::default(), Entropy::seeded(1));
        let first = Identity::next(&disk, &entropy, None).unwrap();
        let second = Identity::next(&disk, &entropy, None).unwrap();
        assert_eq!(first.node, second.node);
        assert_eq!((first.incarnation.0, second.incarnation.0), (1, 2));
    }

    #[test]
    fn a_new_name_starts_anew_and_a_broken_file_makes_a_new_name() {
        let (disk, entropy) = (MemoryDisk::default(), Entropy::seeded(1));
        let first = Identity::next(&disk, &entropy, None).unwrap();
        let named = Identity::next(&disk, &entropy, Some("mine".into())).unwrap();
        assert_eq!((named.node.as_str(), named.incarnation.0), ("mine", 1));
        disk.write(FILE, b"\xff").unwrap();
        assert_ne!(Identity::next(&disk, &entropy, None).unwrap().node, first.node);
    }
}
