//! Which of a pair of nodes serves while no control plane says it: each goes by what it hears of the other.
//!
//! The primary serves while it runs. The backup takes over once it has heard no good word of the primary for the whole
//! of the timeout, and steps back once the primary has been well for as long, so that a primary that comes and goes does
//! not make traffic follow it. A primary that starts while the backup serves waits for that. Where the two cannot hear
//! each other both may serve: that costs no request, and is told.

use std::time::Duration;

/// Which node of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The one that serves while it is well.
    Primary,
    /// The one that waits.
    Backup,
}

/// What a check of the other node found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// It did not answer, or not as a node.
    Silent,
    /// It answers, and does not take requests any more.
    Leaving,
    /// It is well and waits.
    Waits,
    /// It is well and serves.
    Serves,
}

/// Why a node's role changed, or may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The primary serves since the backup does not.
    OtherDoesNotServe,
    /// The backup did not step back although it had long enough for it.
    OtherDidNotStepBack,
    /// The primary was silent for the whole timeout.
    OtherSilent,
    /// The primary says that it leaves.
    OtherLeaves,
    /// The primary has been well for the whole timeout.
    OtherWell,
}

impl Cause {
    /// Says it in the words of the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::OtherDoesNotServe => "the backup does not serve",
            Cause::OtherDidNotStepBack => "the backup did not step back in time",
            Cause::OtherSilent => "the primary was not heard within failover_timeout",
            Cause::OtherLeaves => "the primary is shutting down",
            Cause::OtherWell => "the primary has been well for failover_timeout",
        }
    }
}

/// A node's role by what it hears of the other. Times are of a clock that only goes forward, from any start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    part: Part,
    timeout: Duration,
    stage: Stage,
    other: Option<Other>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waits; `since` is when it last had a reason to, for the primary when it began to.
    Waits { since: Duration },
    /// Serves; `well` is since when the primary has been well, on the backup.
    Serves { well: Option<Duration> },
}

impl Role {
    /// Starts to wait at `now`, until something is heard of the other node.
    pub fn new(part: Part, timeout: Duration, now: Duration) -> Self {
        Self { part, timeout, stage: Stage::Waits { since: now }, other: None }
    }

    /// Tells whether this node serves.
    pub fn is_active(&self) -> bool {
        matches!(self.stage, Stage::Serves { .. })
    }

    /// Tells whether both nodes serve, as far as is known.
    pub fn both_serve(&self) -> bool {
        self.is_active() && self.other == Some(Other::Serves)
    }

    /// Takes over a role that was decided elsewhere until `now`.
    pub fn assume(&mut self, active: bool, now: Duration) {
        if active != self.is_active() {
            self.stage = if active { Stage::Serves { well: None } } else { Stage::Waits { since: now } };
        }
    }

    /// Takes in a check of the other node; gives why the role changed, when it did.
    pub fn heard(&mut self, other: Other, now: Duration) -> Option<Cause> {
        self.other = Some(other);
        let turn = match self.part {
            Part::Primary => self.primary_heard(other),
            Part::Backup => self.backup_heard(other, now),
        };
        turn.or_else(|| self.passed(now))
    }

    fn primary_heard(&mut self, other: Other) -> Option<Cause> {
        if self.is_active() || other == Other::Serves {
            return None;
        }
        self.stage = Stage::Serves { well: None };
        Some(Cause::OtherDoesNotServe)
    }

    fn backup_heard(&mut self, other: Other, now: Duration) -> Option<Cause> {
        let is_well = matches!(other, Other::Waits | Other::Serves);
        match &mut self.stage {
            Stage::Waits { since } if is_well => *since = now,
            Stage::Waits { .. } if other == Other::Leaving => {
                self.stage = Stage::Serves { well: None };
                return Some(Cause::OtherLeaves);
            }
            Stage::Waits { .. } => {}
            Stage::Serves { well } if is_well => {
                well.get_or_insert(now);
            }
            Stage::Serves { well } => *well = None,
        }
        None
    }

    /// Takes in that it is `now`; gives why the role changed, when it did.
    pub fn passed(&mut self, now: Duration) -> Option<Cause> {
        if self.due().is_none_or(|due| now < due) {
            return None;
        }
        let (stage, cause) = match (self.stage, self.part) {
            (Stage::Waits { .. }, Part::Primary) => {
                (Stage::Serves { well: None }, Cause::OtherDidNotStepBack)
            }
            (Stage::Waits { .. }, Part::Backup) => (Stage::Serves { well: None }, Cause::OtherSilent),
            (Stage::Serves { .. }, _) => (Stage::Waits { since: now }, Cause::OtherWell),
        };
        self.stage = stage;
        Some(cause)
    }

    /// Gives when the role changes by itself unless something is heard before.
    pub fn due(&self) -> Option<Duration> {
        match (self.stage, self.part) {
            // The backup needs the timeout to step back, and another check to notice.
            (Stage::Waits { since }, Part::Primary) => Some(since + self.timeout.saturating_mul(3)),
            (Stage::Waits { since }, Part::Backup) => Some(since + self.timeout),
            (Stage::Serves { .. }, Part::Primary) => None,
            (Stage::Serves { well }, Part::Backup) => well.map(|well| well + self.timeout),
        }
    }
}

#[cfg(test)]
mod tests;
