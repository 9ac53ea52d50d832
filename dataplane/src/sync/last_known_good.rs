//! The last known good configuration on the node's disk, so that a restart serves while every control plane is
//! away.

use cliproxy_domain::{ConfigId, Hint, HintVersion, HistoryId, Snapshot, WallTime};
use cliproxy_host::Disk;
use cliproxy_proto::{
    convert::{
        config::EntrySet,
        hints::{from_wire, to_wire},
    },
    v1,
};
use prost::Message as _;
use std::{io, sync::Arc};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"CLPXLKG1";
const PREFIX: &str = "last-known-good-";
/// Files kept; the newest that is sound is used.
const KEPT: usize = 3;

/// What was saved.
pub(super) struct Saved {
    pub(super) history: HistoryId,
    pub(super) config: ConfigId,
    pub(super) entries: EntrySet,
    pub(super) snapshot: Snapshot,
    pub(super) hints: HintVersion,
    pub(super) saved_hints: Vec<Hint>,
}

/// The files. Clones share them.
#[derive(Clone)]
pub(super) struct LastKnownGood {
    disk: Arc<dyn Disk>,
}

impl LastKnownGood {
    pub(super) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk }
    }

    /// Loads the newest file that is sound; unsound ones are skipped and reported.
    pub(super) fn load(&self, now: WallTime) -> Option<Saved> {
        for name in self.names().unwrap_or_default().into_iter().rev() {
            match self.read(&name, now) {
                Ok(saved) => return Some(saved),
                Err(reason) => tracing::warn!(file = name, reason, "a saved configuration cannot be used"),
            }
        }
        None
    }

    /// Saves, and forgets all but the newest few. Blocks for the time of an `fsync`.
    pub(super) fn save(
        &self,
        history: &HistoryId,
        config: ConfigId,
        entries: &EntrySet,
        hints: HintVersion,
        saved_hints: &[Hint],
        now: WallTime,
    ) -> io::Result<()> {
        let body = v1::Saved {
            history_id: history.to_string(),
            config: config.0,
            config_hash: entries.hash(),
            changes: entries.to_changes(),
            hints: saved_hints.iter().map(|hint| to_wire(hint, now)).collect(),
            hint_version: hints.0,
            saved_at_ms: now.0,
        }
        .encode_to_vec();
        let mut file = Vec::with_capacity(16 + body.len());
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&xxh3_64(&body).to_le_bytes());
        file.extend_from_slice(&body);
        // Numbered by the files themselves: configuration numbers start anew with each history.
        let names = self.names()?;
        let last: u64 = names.last().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok()).unwrap_or(0);
        self.disk.write(&format!("{PREFIX}{:020}", last + 1), &file)?;
        let surplus = (names.len() + 1).saturating_sub(KEPT);
        names.iter().take(surplus).try_for_each(|name| self.disk.remove(name))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.disk.list()?.into_iter().filter(|name| name.starts_with(PREFIX)).collect())
    }

    fn read(&self, name: &str, now: WallTime) -> Result<Saved, String> {
        let file = self.disk.read(name).map_err(|error| error.to_string())?.ok_or("it is gone")?;
        let (magic, rest) = file.split_first_chunk::<8>().ok_or("it is too short")?;
        let (sum, body) = rest.split_first_chunk::<8>().ok_or("it is too short")?;
        if magic != MAGIC {
            return Err("it has another format".into());
        }
        if xxh3_64(body) != u64::from_le_bytes(*sum) {
            return Err("its checksum is wrong".into());
        }
        let saved = v1::Saved::decode(body).map_err(|error| error.to_string())?;
        let mut entries = EntrySet::default();
        entries.apply(&saved.changes).map_err(|error| error.to_string())?;
        if entries.hash() != saved.config_hash {
            return Err("its hash is wrong".into());
        }
        // A node that ran alone has saved what rests, and no configuration: that is its file's to give.
        let snapshot = match saved.config {
            0 => Snapshot::default(),
            _ => entries.to_snapshot().map_err(|error| error.to_string())?,
        };
        // What was left when it was saved, less what has passed since; a clock that went back leaves it as it was.
        let saved_at = WallTime(saved.saved_at_ms.min(now.0));
        let saved_hints =
            saved.hints.iter().filter_map(|change| from_wire(change, saved_at).ok().flatten()).collect();
        Ok(Saved {
            history: HistoryId(saved.history_id),
            config: ConfigId(saved.config),
            entries,
            snapshot,
            hints: HintVersion(saved.hint_version),
            saved_hints,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{Cooldown, CooldownCause, CooldownKey, Evidence, Permit};
    use cliproxy_host::MemoryDisk;
    use std::time::Duration;

    const NOW: WallTime = WallTime(1_700_000_000_000);

    fn entries(max_attempts: u32) -> EntrySet {
        let mut snapshot = Snapshot::default();
        snapshot.policy.retries.max_attempts = max_attempts;
        EntrySet::from_snapshot(&snapshot)
    }

    fn rest(until: WallTime) -> Hint {
        Hint::Cooldown(Cooldown {
            key: CooldownKey::credential("p".into(), "c".into()),
            epoch: 0,
            round: 0,
            cleared: false,
            permit: Permit::default(),
            streak: 1,
            evidence: Evidence::default(),
            started_at: NOW,
            until,
            cause: CooldownCause::RateLimit,
            source: "n".into(),
        })
    }

    fn saved(times: u32) -> (MemoryDisk, LastKnownGood) {
        let disk = MemoryDisk::default();
        let files = LastKnownGood::new(Arc::new(disk.clone()));
        for n in 1..=times {
            let rests = [rest(NOW.plus(Duration::from_secs(60)))];
            let id = ConfigId(u64::from(n));
            files.save(&HistoryId("h".into()), id, &entries(n), HintVersion(9), &rests, NOW).unwrap();
        }
        (disk, files)
    }

    #[test]
    fn the_newest_is_loaded_and_three_are_kept() {
        let (disk, files) = saved(5);
        let loaded = files.load(NOW).unwrap();
        assert_eq!(
            (loaded.config, loaded.hints, loaded.snapshot.policy.retries.max_attempts),
            (ConfigId(5), HintVersion(9), 5)
        );
        assert_eq!(disk.list().unwrap().len(), KEPT);
    }

    #[test]
    fn a_rest_goes_on_for_what_is_left_of_it() {
        let (_, files) = saved(1);
        let until = |now| match &files.load(now).unwrap().saved_hints[..] {
            [Hint::Cooldown(rest)] => rest.until,
            other => panic!("{other:?}"),
        };
        let end = NOW.plus(Duration::from_secs(60));
        assert_eq!(until(NOW.plus(Duration::from_secs(20))), end);
        // Past its end it still waits for its probe.
        assert_eq!(until(NOW.plus(Duration::from_secs(61))), end);
        // The clock went back by an hour: the rest is not longer than it was.
        let earlier = NOW.minus(Duration::from_secs(3600));
        assert_eq!(until(earlier), earlier.plus(Duration::from_secs(60)));
    }

    #[test]
    fn a_file_damaged_at_any_byte_gives_the_one_before_it() {
        let (disk, files) = saved(2);
        let newest = disk.list().unwrap().pop().unwrap();
        let sound = disk.read(&newest).unwrap().unwrap();
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 0x20;
            disk.write(&newest, &damaged).unwrap();
            assert_eq!(files.load(NOW).unwrap().config, ConfigId(1), "damaged at {at}");
            disk.write(&newest, &sound[..at]).unwrap();
            assert_eq!(files.load(NOW).unwrap().config, ConfigId(1), "cut at {at}");
        }
    }
}
