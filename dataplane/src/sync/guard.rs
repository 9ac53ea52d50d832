//! What became of the node's last starts, so that a configuration that it dies of is left alone.
//!
//! Whoever puts a configuration in force notes it on its disk before. With one that the node has lived with for a minute
//! it has proved itself: whatever kills it later is not blamed on that one. A configuration whose note was never taken
//! back three times is one that the node dies of: it starts from an older one, and tells the control plane. A process
//! that is killed leaves the same traces as one that dies by itself. Where there is no older configuration, the node
//! therefore goes on with the one that it has, and any other blame is put to the test again after a while, or at the next
//! start after an end in order.

use cliproxy_domain::{ConfigId, HistoryId, WallTime};
use cliproxy_host::{Clock, Disk};
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
/// How soon a configuration that the node died of is tried again, twice as late each time.
const AGAIN: Duration = Duration::from_secs(5 * 60);
/// The latest that it is tried again.
const LATEST: Duration = Duration::from_secs(60 * 60);

/// The notes. One configuration is under trial at most: the one that was put in force last.
pub(super) struct Guard {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    build: String,
    notes: VecDeque<Note>,
    trial: Option<Trial>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    history: HistoryId,
    config: ConfigId,
    deaths: u32,
    /// How often it was blamed.
    blames: u32,
    /// Until when it is left alone, once it is blamed.
    again: WallTime,
    /// The node has lived with it for long enough.
    proved: bool,
}

struct Trial {
    history: HistoryId,
    config: ConfigId,
    since: Instant,
}

/// A configuration that the node leaves alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blamed {
    pub(super) config: ConfigId,
    /// How long it is left alone yet.
    pub(super) again_in: Duration,
}

impl Guard {
    /// Reads the notes of this program. Another program may live with what this one died of.
    pub(super) fn load(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, build: &str) -> Self {
        let notes = match disk.read(FILE) {
            Ok(file) => file.and_then(|bytes| parse(&bytes, build)).unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "it cannot be read what became of the node's last starts");
                VecDeque::new()
            }
        };
        Self { disk, clock, build: build.to_owned(), notes, trial: None }
    }

    /// Tells for how long a configuration that the node dies of is left alone yet; `None` for one that may be put in
    /// force.
    pub(super) fn dies_of(&self, history: &HistoryId, config: ConfigId) -> Option<Duration> {
        let note = self.notes.iter().find(|note| note.is_of(history, config))?;
        note.left_alone(self.clock.wall())
    }

    /// Gives the newest configuration of a history that the node leaves alone as it dies of it. What it runs, it lives
    /// with so far.
    pub(super) fn died_of(&self, history: &HistoryId) -> Option<Blamed> {
        let now = self.clock.wall();
        let on_trial =
            |note: &Note| self.trial.as_ref().is_some_and(|trial| note.is_of(&trial.history, trial.config));
        let of_it = self.notes.iter().filter(|note| note.history == *history && !on_trial(note));
        let blamed = of_it
            .filter_map(|note| note.left_alone(now).map(|again_in| Blamed { config: note.config, again_in }));
        blamed.max_by_key(|blamed| blamed.config)
    }

    /// Notes that a configuration is put in force now. The one before it is none that the node dies of from here on.
    pub(super) fn begins(&mut self, history: &HistoryId, config: ConfigId) {
        self.acquit();
        let place = self.notes.iter().position(|note| note.is_of(history, config));
        let known = place.and_then(|place| self.notes.remove(place));
        let mut note = known.unwrap_or_else(|| Note::new(history.clone(), config));
        if !note.proved {
            note.may_be_the_end(self.clock.wall());
            self.trial = Some(Trial { history: history.clone(), config, since: self.clock.now() });
        }
        self.notes.push_back(note);
        while self.notes.len() > KEPT {
            self.notes.pop_front();
        }
    }

    /// Notes that the node has proved itself with what was put in force last, when it has lived with it for long enough.
    /// Tells whether the notes should be written.
    pub(super) fn lives(&mut self) -> bool {
        let now = self.clock.now();
        let survived = |trial: &mut Trial| now.saturating_duration_since(trial.since) >= SURVIVED;
        let Some(Trial { history, config, .. }) = self.trial.take_if(survived) else { return false };
        if let Some(note) = self.notes.iter_mut().find(|note| note.is_of(&history, config)) {
            *note = Note { proved: true, ..Note::new(history, config) };
        }
        true
    }

    /// Takes the note back of what was not put in force after all: the node proves nothing with it.
    pub(super) fn takes_back(&mut self) {
        self.acquit();
    }

    /// Takes the note back as the node ends in order, and has what it died of tried again at its next start. Tells
    /// whether the notes should be written.
    pub(super) fn ends(&mut self) -> bool {
        let mut is_news = self.acquit();
        for note in self.notes.iter_mut().filter(|note| note.deaths >= DEATHS) {
            is_news |= note.again != WallTime(0);
            note.again = WallTime(0);
        }
        is_news
    }

    fn acquit(&mut self) -> bool {
        let Some(trial) = self.trial.take() else { return false };
        for note in self.notes.iter_mut().filter(|note| note.is_of(&trial.history, trial.config)) {
            note.deaths = note.deaths.saturating_sub(1);
        }
        self.notes.retain(|note| note.deaths > 0 || note.proved);
        true
    }

    /// Gives what writes the notes as they are. Blocks for the time of an `fsync`.
    pub(super) fn writing(&self) -> impl FnOnce() -> io::Result<()> + Send + 'static {
        let (disk, text) = (Arc::clone(&self.disk), self.text());
        move || disk.write(FILE, text.as_bytes())
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n", self.build);
        for Note { history, config, deaths, blames, again, proved } in &self.notes {
            let proved = u8::from(*proved);
            text.push_str(&format!("{config} {deaths} {blames} {} {proved} {history}\n", again.0));
        }
        text
    }
}

impl Note {
    fn new(history: HistoryId, config: ConfigId) -> Self {
        Self { history, config, deaths: 0, blames: 0, again: WallTime(0), proved: false }
    }

    fn is_of(&self, history: &HistoryId, config: ConfigId) -> bool {
        self.history == *history && self.config == config
    }

    /// Counts a death that this process may be about to die: nobody notes it afterwards.
    fn may_be_the_end(&mut self, now: WallTime) {
        self.deaths = self.deaths.saturating_add(1);
        if self.deaths >= DEATHS {
            let wait = AGAIN * 2_u32.saturating_pow(self.blames.min(8));
            self.blames = self.blames.saturating_add(1);
            self.again = now.plus(wait.min(LATEST));
        }
    }

    /// Gives for how long it is left alone yet. A clock that was set back leaves nothing alone for longer than was meant.
    fn left_alone(&self, now: WallTime) -> Option<Duration> {
        let left = self.again.since(now);
        let is_blamed = self.deaths >= DEATHS && self.config != ConfigId(0);
        (is_blamed && !left.is_zero() && left <= LATEST).then_some(left)
    }
}

/// Reads the notes; a file that cannot be understood, or of another program, says nothing.
fn parse(bytes: &[u8], build: &str) -> Option<VecDeque<Note>> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    if lines.next()? != build {
        return None;
    }
    let note = |line: &str| {
        let mut words = line.splitn(6, ' ');
        Some(Note {
            config: ConfigId(words.next()?.parse().ok()?),
            deaths: words.next()?.parse().ok()?,
            blames: words.next()?.parse().ok()?,
            again: WallTime(words.next()?.parse().ok()?),
            proved: words.next()? == "1",
            history: HistoryId(words.next()?.to_owned()),
        })
    };
    lines.take(KEPT).map(note).collect()
}

#[cfg(test)]
mod tests;
