//! Faults of a database, switched on and off while it is in use.

use crate::StoreError;
use parking_lot::Mutex;
use std::time::Duration;

/// What goes wrong, until told otherwise. Counted faults strike the transactions that write, in the order in
/// which they begin; [`crate::Store::ping`] is one of them.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Plan>);

#[derive(Debug, Default)]
struct Plan {
    unavailable: bool,
    commit_delay: Duration,
    crashes: u32,
    lost_answers: u32,
}

/// What becomes of a transaction that was not refused.
pub(super) enum Fate {
    Answered,
    AnswerLost,
}

impl Faults {
    /// Makes all methods fail with [`StoreError::Unavailable`], or work again.
    pub fn set_unavailable(&self, unavailable: bool) {
        self.0.lock().unavailable = unavailable;
    }

    /// Makes each commit take that long, by tokio's clock. Zero is none.
    pub fn delay_commits(&self, by: Duration) {
        self.0.lock().commit_delay = by;
    }

    /// Lets the next `count` transactions commit but fail with [`StoreError::CommitUnknown`].
    pub fn lose_answers(&self, count: u32) {
        self.0.lock().lost_answers = count;
    }

    /// Lets the next `count` transactions fail before they commit anything.
    pub fn crash_before_commit(&self, count: u32) {
        self.0.lock().crashes = count;
    }

    /// Ends all faults.
    pub fn heal(&self) {
        *self.0.lock() = Plan::default();
    }

    pub(super) fn check_available(&self) -> Result<(), StoreError> {
        if self.0.lock().unavailable {
            return Err(StoreError::Unavailable("switched off by the test".into()));
        }
        Ok(())
    }

    /// Draws what becomes of one transaction, and takes the time of its commit. A transaction during which
    /// the store becomes unavailable is not committed; nor is one whose caller goes away meanwhile.
    pub(super) async fn fate_of_a_commit(&self) -> Result<Fate, StoreError> {
        self.check_available()?;
        let (delay, fate) = {
            let mut plan = self.0.lock();
            (plan.commit_delay, plan.draw())
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.check_available()?;
        fate
    }
}

impl Plan {
    fn draw(&mut self) -> Result<Fate, StoreError> {
        if self.crashes > 0 {
            self.crashes -= 1;
            return Err(StoreError::Unavailable("crashed before the commit".into()));
        }
        if self.lost_answers > 0 {
            self.lost_answers -= 1;
            return Ok(Fate::AnswerLost);
        }
        Ok(Fate::Answered)
    }
}
