//! What a process leaves that is killed: how much it may have spent, so that the next one can give back the rest.
//!
//! Each process of the node writes a file of its own, with a place for each budget and period. It says how much may be
//! spent, never less than is, and is overwritten in place: what a killed process wrote is there. A machine that failed
//! may have kept an older content, which says too little, so a file is believed only on the run of the machine in which
//! it was written. Without a file, on a full disk, or where the machine's runs cannot be told apart, everything works
//! but this: what a killed process held stays out until its period ends or an operator takes it back.

mod record;

use cliproxy_domain::{BudgetClaim, BudgetId, Incarnation, WallTime};
use cliproxy_host::{Disk, Pages};
use parking_lot::Mutex;
use record::{PLACE, Record};
use std::{io, sync::Arc};

/// Names are `leases.` and the number of the process.
const PREFIX: &str = "leases.";

/// The file of this process.
pub struct Journal {
    disk: Option<Arc<dyn Disk>>,
    incarnation: Incarnation,
    file: Mutex<File>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("incarnation", &self.incarnation).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct File {
    /// None while nothing can be written.
    pages: Option<Arc<dyn Pages>>,
    /// Places that were given up.
    free: Vec<u64>,
    places: u64,
}

/// What starting found.
#[derive(Debug)]
pub struct Opened {
    /// The journal of this process.
    pub journal: Arc<Journal>,
    /// What earlier ones left.
    pub left: Left,
    /// Why nothing is written, where that is so.
    pub unwritten: Option<io::Error>,
    /// How many files could not be believed: the machine was restarted since, or they cannot be read.
    pub disbelieved: usize,
}

impl Journal {
    /// Reads what earlier processes left on `disk`, and begins the file of this one.
    pub fn open(disk: Arc<dyn Disk>, incarnation: Incarnation) -> Opened {
        let boot = disk.boot();
        let (left, disbelieved) = Left::read(&disk, incarnation, boot.as_deref());
        let (file, unwritten) = match boot {
            None => (File::default(), Some(io::ErrorKind::Unsupported.into())),
            Some(boot) => match File::begin(&*disk, incarnation, &boot) {
                Ok(file) => (file, None),
                Err(error) => (File::default(), Some(error)),
            },
        };
        let journal = Self { disk: Some(disk), incarnation, file: Mutex::new(file) };
        Opened { journal: Arc::new(journal), left, unwritten, disbelieved }
    }

    /// Keeps nothing.
    pub fn none() -> Arc<Self> {
        Arc::new(Self { disk: None, incarnation: Incarnation(0), file: Mutex::default() })
    }

    /// Tells whether what is held is written down.
    pub fn is_written(&self) -> bool {
        self.file.lock().pages.is_some()
    }

    /// Writes that this process asks for a budget, before it does. What it is then given and does not hear of before it is
    /// killed comes back too: what is not in the file was not spent.
    pub(super) fn ask(&self, id: &BudgetId) {
        let _unwritten = self.place(&Record { id: id.clone(), period: None, ceiling: 0 });
    }

    /// Gives a place for a budget in a period, with nothing spent.
    pub(super) fn slot(self: &Arc<Self>, id: &BudgetId, period: WallTime) -> Place {
        let record = Record { id: id.clone(), period: Some(period), ceiling: 0 };
        match self.place(&record) {
            Ok(Some((pages, place))) => {
                Place::Written(Slot { journal: Arc::clone(self), pages, place, record })
            }
            Ok(None) => Place::None,
            // What is not in the file counts as not spent: rather no file.
            Err(_) if self.withdraw() => Place::None,
            Err(_) => Place::Stuck,
        }
    }

    /// Writes a record to a place of its own; none when nothing is written of it.
    fn place(&self, record: &Record) -> io::Result<Option<(Arc<dyn Pages>, u64)>> {
        let mut file = self.file.lock();
        let (Some(pages), Some(bytes)) = (file.pages.clone(), record.encode()) else { return Ok(None) };
        let place = file.free.pop().unwrap_or(file.places + 1);
        pages.write_at(place * PLACE as u64, &bytes)?;
        file.places = file.places.max(place);
        Ok(Some((pages, place)))
    }

    /// Takes the whole file away, as it can no longer be kept true. Tells whether it is gone.
    fn withdraw(&self) -> bool {
        let gone = self.disk.as_ref().is_none_or(|disk| disk.remove(&name(self.incarnation)).is_ok());
        if gone {
            self.file.lock().pages = None;
        }
        gone
    }
}

impl File {
    fn begin(disk: &dyn Disk, incarnation: Incarnation, boot: &str) -> io::Result<Self> {
        let pages = disk.pages(&name(incarnation))?;
        let head = record::head(boot).ok_or(io::ErrorKind::InvalidInput)?;
        pages.write_at(0, &head)?;
        Ok(Self { pages: Some(Arc::from(pages)), free: Vec::new(), places: 0 })
    }
}

/// Where it is written what may be spent.
#[derive(Debug)]
pub(super) enum Place {
    /// Here.
    Written(Slot),
    /// Nowhere.
    None,
    /// Nowhere, and the file that says so by its silence that nothing was spent cannot be taken away: nothing may be.
    Stuck,
}

/// The place of one budget in one period.
pub(super) struct Slot {
    journal: Arc<Journal>,
    pages: Arc<dyn Pages>,
    place: u64,
    record: Record,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot")
            .field("place", &self.place)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

impl Slot {
    /// Writes that no more than `ceiling` is spent and reserved.
    pub(super) fn write(&mut self, ceiling: u64) -> io::Result<()> {
        self.record.ceiling = ceiling;
        let bytes = self.record.encode().ok_or(io::ErrorKind::InvalidInput)?;
        self.pages.write_at(self.place * PLACE as u64, &bytes)
    }

    /// Gives up the place: the period is over, and its last word was heard. It is not given up by itself: what a process
    /// held that stops is to be found.
    pub(super) fn give_up(&self) {
        if self.pages.write_at(self.place * PLACE as u64, &[0; PLACE]).is_ok() {
            self.journal.file.lock().free.push(self.place);
        }
    }

    /// Takes the journal away, for what it says is not true any more. Tells whether it is gone.
    pub(super) fn withdraw(&self) -> bool {
        self.journal.withdraw()
    }
}

/// What earlier processes of the node left, until the control plane has heard it.
pub struct Left {
    disk: Arc<dyn Disk>,
    processes: Mutex<Vec<(Incarnation, Vec<Record>)>>,
}

impl std::fmt::Debug for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Left").field("processes", &*self.processes.lock()).finish_non_exhaustive()
    }
}

impl Left {
    /// Gives the files of processes before `incarnation`, and how many there are that cannot be believed; those are
    /// taken away.
    fn read(disk: &Arc<dyn Disk>, incarnation: Incarnation, boot: Option<&str>) -> (Self, usize) {
        let (mut processes, mut disbelieved) = (Vec::new(), 0);
        for file in disk.list().unwrap_or_default() {
            let Some(process) = file.strip_prefix(PREFIX).and_then(|number| number.parse().ok()) else {
                continue;
            };
            if Incarnation(process) >= incarnation {
                continue;
            }
            let content = disk.read(&file).ok().flatten().unwrap_or_default();
            match boot.and_then(|boot| record::read(&content, boot)) {
                Some(records) if !records.is_empty() => processes.push((Incarnation(process), records)),
                read => {
                    disbelieved += usize::from(read.is_none());
                    let _stays = disk.remove(&file);
                }
            }
        }
        (Self { disk: Arc::clone(disk), processes: Mutex::new(processes) }, disbelieved)
    }

    /// Tells whether all of it is heard.
    pub fn is_empty(&self) -> bool {
        self.processes.lock().is_empty()
    }

    /// Gives what is to be said: that those processes spend no more than this.
    pub fn claims(&self) -> Vec<BudgetClaim> {
        let processes = self.processes.lock();
        let records =
            processes.iter().flat_map(|(holder, records)| records.iter().map(|record| (*holder, record)));
        records.map(|(holder, record)| claim(holder, record)).collect()
    }

    /// Takes note that the control plane has heard a claim. The file of a process of which all is heard is taken away.
    pub fn heard(&self, claim: &BudgetClaim) {
        let mut processes = self.processes.lock();
        for (holder, records) in processes.iter_mut().filter(|(holder, _)| *holder == claim.holder) {
            records.retain(|record| record.id != claim.id || record.period != claim.period);
            if records.is_empty() {
                let _stays = self.disk.remove(&name(*holder));
            }
        }
        processes.retain(|(_, records)| !records.is_empty());
    }
}

fn claim(holder: Incarnation, record: &Record) -> BudgetClaim {
    BudgetClaim {
        id: record.id.clone(),
        holder,
        period: record.period,
        granted: 0,
        spent: record.ceiling,
        returned: 0,
        want: 0,
        least: 0,
        closing: true,
    }
}

fn name(incarnation: Incarnation) -> String {
    format!("{PREFIX}{incarnation}")
}

#[cfg(test)]
mod tests;
