//! What one session has to send, made from the state: whole sets, deltas, heartbeats.

use crate::state::ActiveConfig;
use cliproxy_domain::{Hint, HintVersion, WallTime};
use cliproxy_proto::{
    CHUNK_BYTES,
    convert::{config::Hashes, hints},
    v1::{Change, Delta, Line, SnapshotChunk, SyncDown, sync_down},
};

/// Makes the messages that bring a node with the configuration `from` to `config`: a delta, or the whole set when
/// the node has none that is known, or when the delta is as large.
pub(super) fn config(config: &ActiveConfig, from: Option<&(u64, Hashes)>, nonce: &str) -> Vec<SyncDown> {
    if let Some((from, hashes)) = from {
        let changes = config.entries.changes_from(hashes);
        if changes.iter().map(size).sum::<usize>() <= CHUNK_BYTES {
            return vec![down(sync_down::Message::Delta(Delta {
                line: Line::Config.into(),
                from: *from,
                to: config.id.0,
                changes,
                hash_after: config.entries.hash(),
                nonce: nonce.to_owned(),
            }))];
        }
    }
    chunks(Line::Config, config.id.0, config.entries.to_changes(), config.entries.hash(), nonce)
}

/// Makes the delta of hints that are numbered up to `to`, or that have no number when `to` is 0.
pub(super) fn hints_delta<'a>(
    values: impl IntoIterator<Item = &'a Hint>,
    from: HintVersion,
    to: HintVersion,
    now: WallTime,
    nonce: &str,
) -> SyncDown {
    down(sync_down::Message::Delta(Delta {
        line: Line::Hint.into(),
        from: from.0,
        to: to.0,
        changes: values.into_iter().map(|hint| hints::to_wire(hint, now)).collect(),
        hash_after: 0,
        nonce: nonce.to_owned(),
    }))
}

/// Makes the whole set of hints.
pub(super) fn hints_whole(
    values: &[Hint],
    version: HintVersion,
    now: WallTime,
    nonce: &str,
) -> Vec<SyncDown> {
    let changes = values.iter().map(|hint| hints::to_wire(hint, now)).collect();
    chunks(Line::Hint, version.0, changes, 0, nonce)
}

/// Cuts a whole set into parts of at most [`CHUNK_BYTES`], or of one change that is larger; at least one part.
fn chunks(line: Line, version: u64, changes: Vec<Change>, hash: u64, nonce: &str) -> Vec<SyncDown> {
    let mut parts: Vec<Vec<Change>> = vec![Vec::new()];
    let mut bytes = 0;
    for change in changes {
        bytes += size(&change);
        if bytes > CHUNK_BYTES && parts.last().is_some_and(|part| !part.is_empty()) {
            bytes = size(&change);
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(change);
        }
    }
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let chunk = |(index, changes)| {
        down(sync_down::Message::Chunk(SnapshotChunk {
            line: line.into(),
            version,
            index,
            count,
            changes,
            hash,
            nonce: nonce.to_owned(),
        }))
    };
    (0..).zip(parts).map(chunk).collect()
}

/// Estimates a change's size on the wire from above.
fn size(change: &Change) -> usize {
    change.key.len() + change.body.len() + 32
}

/// Wraps a message.
pub(super) fn down(message: sync_down::Message) -> SyncDown {
    SyncDown { message: Some(message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, bytes: usize) -> Change {
        Change { key: key.to_owned(), body: vec![0; bytes].into(), ..Default::default() }
    }

    fn parts(changes: Vec<Change>) -> Vec<(u32, u32, Vec<String>)> {
        chunks(Line::Config, 7, changes, 1, "n")
            .into_iter()
            .map(|message| match message.message {
                Some(sync_down::Message::Chunk(chunk)) => {
                    (chunk.index, chunk.count, chunk.changes.into_iter().map(|change| change.key).collect())
                }
                other => panic!("{other:?} is not a chunk"),
            })
            .collect()
    }

    #[test]
    fn an_empty_set_is_one_part() {
        assert_eq!(parts(vec![]), [(0, 1, vec![])]);
    }

    #[test]
    fn parts_stay_below_the_limit_unless_one_change_is_larger() {
        let half = CHUNK_BYTES / 2 - 64;
        let changes =
            vec![change("a", half), change("b", half), change("c", half), change("d", 2 * CHUNK_BYTES)];
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            parts(changes),
            [(0, 3, names(&["a", "b"])), (1, 3, names(&["c"])), (2, 3, names(&["d"]))]
        );
    }
}
