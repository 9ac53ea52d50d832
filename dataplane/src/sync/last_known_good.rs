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
/// Configurations of which files are kept: a node that dies of one starts from the one before it.
const CONFIGS: usize = 3;
/// Files of the newest configuration that are kept: the newest that is sound is used.
const OF_NEWEST: usize = 2;

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

    /// Loads all files that are sound, the newest first; unsound ones are skipped and reported.
    pub(super) fn load_all(&self, now: WallTime) -> Vec<Saved> {
        let files = self.files().unwrap_or_else(|error| {
            tracing::warn!(%error, "it cannot be read which configurations were saved");
            Vec::new()
        });
        let mut all = Vec::new();
        for File { name, .. } in files.into_iter().rev() {
            match self.read(&name, now) {
                Ok(saved) => all.push(saved),
                Err(reason) => tracing::warn!(file = name, reason, "a saved configuration cannot be used"),
            }
        }
        all
    }

    /// Saves, and forgets what is not needed any more. Blocks for the time of an `fsync`.
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
        let before = self.files()?;
        let serial = before.last().map_or(1, |last| last.serial.saturating_add(1));
        self.disk.write(&format!("{PREFIX}{serial:020}-{config}"), &file)?;
        surplus(before, config.0).iter().try_for_each(|name| self.disk.remove(name))
    }

    /// Gives the files, the oldest first.
    fn files(&self) -> io::Result<Vec<File>> {
        let mut files: Vec<File> = self.disk.list()?.into_iter().filter_map(File::named).collect();
        files.sort_by_key(|file| file.serial);
        Ok(files)
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

/// A file by its name.
struct File {
    name: String,
    serial: u64,
    /// The configuration in it; unset where the name does not say.
    config: Option<u64>,
}

impl File {
    fn named(name: String) -> Option<Self> {
        let (serial, config) = {
            let numbers = name.strip_prefix(PREFIX)?;
            let (serial, config) = numbers.split_once('-').unwrap_or((numbers, ""));
            (serial.parse().ok()?, config.parse().ok())
        };
        Some(Self { name, serial, config })
    }
}

/// Gives the names of the files that are not needed beside a new one of configuration `newest`.
fn surplus(before: Vec<File>, newest: u64) -> Vec<String> {
    let mut of_newest = 1;
    let mut others = Vec::new();
    let mut surplus = Vec::new();
    for File { name, config, .. } in before.into_iter().rev() {
        let is_needed = if config == Some(newest) {
            of_newest += 1;
            of_newest <= OF_NEWEST
        } else {
            let is_new = !others.contains(&config);
            if is_new {
                others.push(config);
            }
            is_new && others.len() < CONFIGS
        };
        if !is_needed {
            surplus.push(name);
        }
    }
    surplus
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
        let loaded = files.load_all(NOW).remove(0);
        assert_eq!(
            (loaded.config, loaded.hints, loaded.snapshot.policy.retries.max_attempts),
            (ConfigId(5), HintVersion(9), 5)
        );
        assert_eq!(disk.list().unwrap().len(), CONFIGS);
    }

    #[test]
    fn however_often_one_configuration_is_saved_the_ones_before_it_are_kept() {
        let (disk, files) = saved(2);
        for _ in 0..9 {
            files.save(&HistoryId("h".into()), ConfigId(3), &entries(3), HintVersion(9), &[], NOW).unwrap();
        }
        let configs = files.load_all(NOW).iter().map(|saved| saved.config.0).collect::<Vec<_>>();
        assert_eq!(configs, [3, 3, 2, 1]);
        assert_eq!(disk.list().unwrap().len(), 4);
    }

    #[test]
    fn files_of_older_programs_whose_names_do_not_say_the_configuration_are_read_and_go() {
        let (disk, files) = saved(1);
        let file = disk.list().unwrap().pop().unwrap();
        disk.write("last-known-good-00000000000000000009", &disk.read(&file).unwrap().unwrap()).unwrap();
        assert_eq!(files.load_all(NOW).len(), 2);
        for id in 2..=4 {
            files.save(&HistoryId("h".into()), ConfigId(id), &entries(1), HintVersion(9), &[], NOW).unwrap();
        }
        assert!(disk.list().unwrap().iter().all(|name| !name.ends_with("009")));
        assert_eq!(files.load_all(NOW)[0].config, ConfigId(4));
    }

    #[test]
    fn a_rest_goes_on_for_what_is_left_of_it() {
        let (_, files) = saved(1);
        let until = |now| match &files.load_all(now).remove(0).saved_hints[..] {
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
            assert_eq!(files.load_all(NOW).remove(0).config, ConfigId(1), "damaged at {at}");
            disk.write(&newest, &sound[..at]).unwrap();
            assert_eq!(files.load_all(NOW).remove(0).config, ConfigId(1), "cut at {at}");
        }
    }
}
