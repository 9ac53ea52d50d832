//! What became of the node's last starts, so that a configuration that it dies of is left alone.
//!
//! Whoever puts a configuration in force notes it on its disk before, and takes the note back when it has lived for a
//! minute or ends in order. A configuration whose note was never taken back three times is one that the node dies of: it
//! starts from an older one, and tells the control plane. A process that is killed leaves the same traces as one that
//! dies by itself; where there is no older configuration, the node therefore goes on with the one that it has.

use cliproxy_domain::{ConfigId, HistoryId};
use cliproxy_host::Disk;
use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

const FILE: &str = "starts";
/// Deaths that are enough.
const DEATHS: u32 = 3;
/// Who has lived for so long with a configuration does not die of it.
const SURVIVED: Duration = Duration::from_secs(60);
/// Configurations of which notes are kept, the newest.
const KEPT: usize = 4;

/// The notes. One configuration is under trial at most: the one that was put in force last.
pub(super) struct Guard {
    disk: Arc<dyn Disk>,
    build: String,
    notes: VecDeque<Note>,
    trial: Option<Trial>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    history: HistoryId,
    config: ConfigId,
    deaths: u32,
}

struct Trial {
    history: HistoryId,
    config: ConfigId,
    since: Instant,
}

impl Guard {
    /// Reads the notes of this program. Another program may live with what this one died of.
    pub(super) fn load(disk: Arc<dyn Disk>, build: &str) -> Self {
        let notes = match disk.read(FILE) {
            Ok(file) => file.and_then(|bytes| parse(&bytes, build)).unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "it cannot be read what became of the node's last starts");
                VecDeque::new()
            }
        };
        Self { disk, build: build.to_owned(), notes, trial: None }
    }

    /// Tells whether the node dies of a configuration.
    pub(super) fn dies_of(&self, history: &HistoryId, config: ConfigId) -> bool {
        self.notes.iter().any(|note| {
            note.history == *history
                && note.config == config
                && note.deaths >= DEATHS
                && config != ConfigId(0)
        })
    }

    /// Gives the newest configuration of a history that the node dies of; 0 when there is none.
    pub(super) fn died_of(&self, history: &HistoryId) -> ConfigId {
        let of_it = self.notes.iter().filter(|note| note.history == *history && note.deaths >= DEATHS);
        of_it.map(|note| note.config).max().unwrap_or(ConfigId(0))
    }

    /// Notes that a configuration is put in force now. The one before it is none that the node dies of from here on.
    pub(super) fn begins(&mut self, history: &HistoryId, config: ConfigId, now: Instant) {
        self.acquit();
        let place = self.notes.iter().position(|note| note.history == *history && note.config == config);
        let mut note = place.and_then(|place| self.notes.remove(place)).unwrap_or_else(|| Note {
            history: history.clone(),
            config,
            deaths: 0,
        });
        note.deaths += 1;
        self.notes.push_back(note);
        while self.notes.len() > KEPT {
            self.notes.pop_front();
        }
        self.trial = Some(Trial { history: history.clone(), config, since: now });
    }

    /// Takes the note back of what was put in force last, when the node has lived with it for long enough. Tells whether
    /// the notes should be written.
    pub(super) fn lives(&mut self, now: Instant) -> bool {
        match &self.trial {
            Some(trial) if now.saturating_duration_since(trial.since) >= SURVIVED => {
                let (history, config) = (trial.history.clone(), trial.config);
                self.notes.retain(|note| note.history != history || note.config != config);
                self.trial = None;
                true
            }
            _ => false,
        }
    }

    /// Takes the note back as the node ends in order. Tells whether the notes should be written.
    pub(super) fn ends(&mut self) -> bool {
        self.acquit()
    }

    fn acquit(&mut self) -> bool {
        let Some(trial) = self.trial.take() else { return false };
        for note in &mut self.notes {
            if note.history == trial.history && note.config == trial.config {
                note.deaths = note.deaths.saturating_sub(1);
            }
        }
        self.notes.retain(|note| note.deaths > 0);
        true
    }

    /// Gives what writes the notes as they are. Blocks for the time of an `fsync`.
    pub(super) fn writing(&self) -> impl FnOnce() -> io::Result<()> + Send + 'static {
        let (disk, text) = (Arc::clone(&self.disk), self.text());
        move || disk.write(FILE, text.as_bytes())
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n", self.build);
        for Note { history, config, deaths } in &self.notes {
            text.push_str(&format!("{config} {deaths} {history}\n"));
        }
        text
    }
}

/// Reads the notes; a file that cannot be understood, or of another program, says nothing.
fn parse(bytes: &[u8], build: &str) -> Option<VecDeque<Note>> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    if lines.next()? != build {
        return None;
    }
    let note = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let config = ConfigId(words.next()?.parse().ok()?);
        let deaths = words.next()?.parse().ok()?;
        Some(Note { config, deaths, history: HistoryId(words.next()?.to_owned()) })
    };
    lines.take(KEPT).map(note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_host::{Clock, MemoryDisk, SystemClock};

    const V: ConfigId = ConfigId(7);
    const BEFORE: ConfigId = ConfigId(6);

    fn history() -> HistoryId {
        HistoryId("h 1".into())
    }

    /// Starts the program anew, whatever became of it before.
    fn start(disk: &MemoryDisk) -> Guard {
        Guard::load(Arc::new(disk.clone()), "1.0")
    }

    fn puts_in_force(guard: &mut Guard, config: ConfigId) {
        guard.begins(&history(), config, SystemClock.now());
        guard.writing()().unwrap();
    }

    #[test]
    fn three_deaths_with_a_configuration_are_enough() {
        let disk = MemoryDisk::default();
        for _ in 0..DEATHS {
            let mut guard = start(&disk);
            assert!(!guard.dies_of(&history(), V));
            puts_in_force(&mut guard, V);
        }
        let guard = start(&disk);
        assert!(guard.dies_of(&history(), V) && !guard.dies_of(&history(), BEFORE));
        assert_eq!(guard.died_of(&history()), V);
        assert_eq!(guard.died_of(&HistoryId("another".into())), ConfigId(0));
    }

    #[test]
    fn the_one_before_is_not_to_blame_for_what_the_next_did() {
        let disk = MemoryDisk::default();
        for _ in 0..DEATHS {
            let mut guard = start(&disk);
            puts_in_force(&mut guard, BEFORE);
            puts_in_force(&mut guard, V);
        }
        let guard = start(&disk);
        assert!(guard.dies_of(&history(), V) && !guard.dies_of(&history(), BEFORE));
    }

    #[test]
    fn whoever_lives_for_a_minute_or_ends_in_order_does_not_die_of_it() {
        let disk = MemoryDisk::default();
        for round in 0..2 * DEATHS {
            let mut guard = start(&disk);
            puts_in_force(&mut guard, V);
            assert!(!guard.lives(SystemClock.now()));
            let is_over =
                if round % 2 == 0 { guard.lives(SystemClock.now() + SURVIVED) } else { guard.ends() };
            assert!(is_over && !guard.ends());
            guard.writing()().unwrap();
        }
        assert!(!start(&disk).dies_of(&history(), V));
    }

    #[test]
    fn another_program_and_a_damaged_file_know_nothing() {
        let disk = MemoryDisk::default();
        for _ in 0..DEATHS {
            puts_in_force(&mut start(&disk), V);
        }
        assert!(!Guard::load(Arc::new(disk.clone()), "1.1").dies_of(&history(), V));
        let sound = disk.read(FILE).unwrap().unwrap();
        for end in 0..sound.len() {
            disk.write(FILE, &sound[..end]).unwrap();
            start(&disk);
        }
        disk.write(FILE, b"1.0\n7 3").unwrap();
        assert!(!start(&disk).dies_of(&history(), V));
    }
}
