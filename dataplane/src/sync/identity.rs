//! Who this node is: a name that stays over restarts, and a number that grows with each.
//!
//! The number is of the time of the start and of chance, not counted: usage is known by name and number, and two processes
//! that run under one name by mistake, or one whose data directory was lost, must not count as one another.

use cliproxy_domain::{Incarnation, NodeId, WallTime};
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
    /// Reads the identity and numbers this start, at `now`. `name` overrides the one that was made at the first start; a file
    /// that cannot be understood counts as missing, with a new name, so that no incarnation is used twice.
    ///
    /// # Errors
    /// When the disk cannot be read or written: without it an incarnation might be used twice.
    pub fn next(
        disk: &dyn Disk,
        now: WallTime,
        entropy: &Entropy,
        name: Option<NodeId>,
    ) -> Result<Self, IdentityError> {
        let saved = disk.read(FILE)?.and_then(|bytes| parse(&bytes));
        let drawn = drawn(now, entropy.next_u64());
        let (node, incarnation) = match (saved, name) {
            (Some((saved, last)), None) => (saved, drawn.max(last.next())),
            (Some((saved, last)), Some(name)) if saved == name => (name, drawn.max(last.next())),
            (_, name) => {
                let made = || NodeId::from(format!("dp-{:012x}", entropy.next_u64() >> 16));
                (name.unwrap_or_else(made), drawn)
            }
        };
        disk.write(FILE, format!("{node}\n{incarnation}\n").as_bytes())?;
        Ok(Self { node, incarnation })
    }
}

/// Makes a number that is higher than those of all earlier milliseconds, and hardly that of another process. It fits into
/// the 53 bits that every reader of JSON keeps: 42 of milliseconds, which last beyond the year 2100, and 11 of chance.
fn drawn(now: WallTime, chance: u64) -> Incarnation {
    let millis = u64::try_from(now.0).unwrap_or(0).clamp(1, (1 << 42) - 1);
    Incarnation((millis << 11) | (chance >> 53))
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
    use std::time::Duration;

    const NOW: WallTime = WallTime(1_800_000_000_000);

    #[test]
    fn the_name_stays_and_the_incarnation_grows_whatever_the_clock_does() {
        let (disk, entropy) = (MemoryDisk::default(), Entropy::seeded(1));
        let mut last = Identity::next(&disk, NOW, &entropy, None).unwrap();
        for now in [NOW, NOW.plus(Duration::from_secs(1)), WallTime(0), WallTime(i64::MIN)] {
            let next = Identity::next(&disk, now, &entropy, None).unwrap();
            assert_eq!(next.node, last.node);
            assert!(next.incarnation > last.incarnation && next.incarnation.0 < 1 << 53);
            last = next;
        }
    }

    #[test]
    fn a_lost_data_directory_and_another_process_of_the_name_take_no_number_that_was_taken() {
        let entropy = Entropy::seeded(1);
        let start = |now| Identity::next(&MemoryDisk::default(), now, &entropy, Some("mine".into())).unwrap();
        let first = start(NOW).incarnation;
        assert_ne!(start(NOW).incarnation, first, "at the same time");
        assert!(start(NOW.plus(Duration::from_millis(1))).incarnation > first);
    }

    #[test]
    fn a_node_of_before_goes_on_above_its_last_number() {
        let (disk, entropy) = (MemoryDisk::default(), Entropy::seeded(1));
        disk.write(FILE, b"mine\n7\n").unwrap();
        assert!(Identity::next(&disk, NOW, &entropy, None).unwrap().incarnation > Incarnation(7));
    }

    #[test]
    fn a_broken_file_makes_a_new_name() {
        let (disk, entropy) = (MemoryDisk::default(), Entropy::seeded(1));
        let first = Identity::next(&disk, NOW, &entropy, None).unwrap();
        let named = Identity::next(&disk, NOW, &entropy, Some("mine".into())).unwrap();
        assert_eq!(named.node.as_str(), "mine");
        disk.write(FILE, b"\xff").unwrap();
        assert_ne!(Identity::next(&disk, NOW, &entropy, None).unwrap().node, first.node);
    }
}
