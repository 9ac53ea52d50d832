//! What a seed stands for: how large the cluster is, and what goes wrong when.

mod draw;

use std::{fmt, time::Duration};

/// When clients begin to ask; nodes are configured by then.
pub const LOAD_BEGINS: Duration = Duration::from_millis(1_500);
/// When the first thing may go wrong.
pub const FAULTS_BEGIN: Duration = Duration::from_secs(2);
/// When everything is mended.
pub const HEALED: Duration = Duration::from_millis(7_500);
/// How long after that everybody agrees.
pub const AGREEMENT: Duration = Duration::from_secs(3);
/// When clients stop to ask.
pub const LOAD_ENDS: Duration = Duration::from_secs(9);
/// When all books must be settled.
pub const END: Duration = Duration::from_secs(13);

/// What a seed stands for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many control planes there are.
    pub controls: usize,
    /// How many nodes.
    pub nodes: usize,
    /// Requests each second, on average.
    pub requests_per_second: f64,
    /// By how many milliseconds the clock of each host is off at first, and by how many parts per million it gains.
    pub clocks: Vec<(String, i64, i64)>,
    /// What goes wrong, in the order in which it begins.
    pub faults: Vec<Fault>,
}

/// One thing that goes wrong for a while.
#[derive(Clone, Debug)]
pub struct Fault {
    /// When it begins.
    pub from: Duration,
    /// When it is mended; of what happens in a moment, the same.
    pub until: Duration,
    /// What it is.
    pub kind: Kind,
}

/// What can go wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Nothing comes through between two hosts.
    Cut(String, String),
    /// Nothing comes from the first to the second.
    CutOneWay(String, String),
    /// What two hosts send each other comes late, all of it at the end.
    Hold(String, String),
    /// A host's process is gone.
    Crash(String),
    /// A node reads nothing of what control planes send it.
    Deaf(String),
    /// The database refuses everything.
    DatabaseAway,
    /// The database does not answer, and goes on with what was asked when it does again.
    DatabaseHangs,
    /// A control plane's connection to the database does not answer, and goes on when it does again.
    Apart(String),
    /// The control plane that leads first is cut off from the database at that moment, in the middle of its first writes
    /// under the lease, and for longer than that holds: when these go on, another leads.
    Overtaken,
    /// A control plane does not hear the doorbell of the database.
    DoorbellLost(String),
    /// Commits take that long.
    SlowCommits(Duration),
    /// So many commits are made, and whoever made them is not told.
    AnswersLost(usize),
    /// So many commits fail.
    CommitsFail(usize),
    /// Commits fail now and then, are made without word of it, or are not made without word of it; so many of a
    /// thousand each.
    Flaky(u16),
    /// At the end the database is what it was at the beginning.
    RolledBack,
    /// A host's calendar is set by so many milliseconds.
    ClockSet(String, i64),
    /// A key of a provider is refused with 429 and that wait.
    Limited(String, String, Duration),
    /// A provider answers 503.
    Outage(String),
}

impl Kind {
    /// Tells whether it may keep what one node knows from another, or what it counted from the ledger.
    pub fn impairs(&self) -> bool {
        !matches!(self, Kind::ClockSet(..) | Kind::Limited(..) | Kind::Outage(..))
    }
}

impl Plan {
    /// Gives the times at which word may not get through, or was lost.
    pub fn impairments(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(|fault| fault.kind.impairs())
    }

    /// Gives the time by which what was known somewhere at `at` is known everywhere: `bound` later, or so long after
    /// what keeps word from getting through has ended.
    pub fn known_by(&self, at: Duration, bound: Duration) -> Duration {
        let mut by = at + bound;
        // A later impairment may begin before the end of an earlier one: they are in order of their beginnings.
        for fault in self.impairments() {
            if fault.from <= by && fault.until + AGREEMENT >= at {
                by = by.max(fault.until + AGREEMENT);
            }
        }
        by
    }

    /// Gives the time since which what a node counted may not have been committed at `at`, if it is lost then.
    pub fn unreported_since(&self, at: Duration) -> Duration {
        let usual = Duration::from_secs(3);
        let mut since = at.saturating_sub(usual);
        loop {
            let reaching = |fault: &&Fault| fault.from < since && fault.until + AGREEMENT >= since;
            match self.impairments().filter(reaching).map(|fault| fault.from).min() {
                Some(from) => since = from.saturating_sub(usual),
                None => return since,
            }
        }
    }

    /// Gives the times at which a host's process was gone.
    pub fn crashes_of(&self, host: &str) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(move |fault| fault.kind == Kind::Crash(host.to_owned()))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {} control planes, {} nodes, {:.0} requests each second",
            self.controls, self.nodes, self.requests_per_second
        )?;
        for (host, off, drift) in self.clocks.iter().filter(|(_, off, drift)| (*off, *drift) != (0, 0)) {
            writeln!(f, "  the clock of {host} is off by {off} ms and gains {drift} ppm")?;
        }
        for fault in &self.faults {
            let (from, until) = (fault.from.as_secs_f64(), fault.until.as_secs_f64());
            writeln!(f, "  {from:6.2} to {until:6.2} {:?}", fault.kind)?;
        }
        Ok(())
    }
}
