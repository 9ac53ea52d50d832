//! A second call beside the first of a stream that does not begin. The first of the two to begin answers; the other's
//! call is dropped at once.

use super::{
    Reply,
    course::{Course, Fell, Progress},
    legs::Then,
    search::Found,
};
use std::{future::Future, pin::Pin};

/// What came of a second call beside a first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeResult {
    /// It began first.
    Won,
    /// The first call began first.
    Lost,
    /// Neither was answered.
    Failed,
    /// There was none: no other choice could be tried.
    NoChoice,
    /// There was none: too many were made already.
    BudgetSpent,
}

impl HedgeResult {
    /// All results.
    pub const ALL: [HedgeResult; 5] = [
        HedgeResult::Won,
        HedgeResult::Lost,
        HedgeResult::Failed,
        HedgeResult::NoChoice,
        HedgeResult::BudgetSpent,
    ];

    /// Names the result as metrics show it.
    pub fn as_str(self) -> &'static str {
        match self {
            HedgeResult::Won => "won",
            HedgeResult::Lost => "lost",
            HedgeResult::Failed => "failed",
            HedgeResult::NoChoice => "no_choice",
            HedgeResult::BudgetSpent => "budget_spent",
        }
    }
}

type Attempt<'a> = Pin<Box<dyn Future<Output = Result<Reply, Fell>> + Send + 'a>>;

impl Course {
    /// Makes an attempt; of the request's first also one beside it, when it does not begin in time.
    pub(super) async fn race(&self, found: Found, progress: &mut Progress) -> Result<Reply, Fell> {
        progress.attempts += 1;
        let number = progress.attempts;
        let retries = &self.route.decided.known.snapshot.policy.retries;
        let wanted = number == 1 && retries.max_attempts > 1 && self.route.decided.streaming;
        let Some(hedge) = retries.hedge.filter(|_| wanted) else { return self.one(found, number).await };
        let mut first: Attempt<'_> = Box::pin(self.one(found, number));
        if let Ok(ended) = tokio::time::timeout(hedge.after, &mut first).await {
            return ended;
        }
        let Some(second) = self.second(progress).await else { return first.await };
        progress.attempts += 1;
        let second: Attempt<'_> = Box::pin(self.one(second, progress.attempts));
        self.beside(first, second).await
    }

    /// Finds what the second call goes to.
    async fn second(&self, progress: &mut Progress) -> Option<Found> {
        let attempter = &self.attempter;
        // The first goes on meanwhile, and is not to wait.
        let found = progress.search.next(attempter, &self.call, &self.route, false).await;
        let Some(found) = found else {
            attempter.witness.hedged(HedgeResult::NoChoice);
            return None;
        };
        if !self.route.decided.known.budgets().hedge(attempter.clock.wall()) {
            attempter.witness.hedged(HedgeResult::BudgetSpent);
            progress.search.take_back(found);
            return None;
        }
        Some(found)
    }

    /// Waits for the first answer of two attempts, the numbers 1 and 2. Where one fails, the other goes on alone.
    async fn beside(&self, mut first: Attempt<'_>, mut second: Attempt<'_>) -> Result<Reply, Fell> {
        let (ended, other, number) = tokio::select! {
            biased;
            ended = &mut first => (ended, second, 1),
            ended = &mut second => (ended, first, 2),
        };
        let (ended, winner) = match ended {
            Ok(reply) => {
                self.legs.outrun(3 - number);
                drop(other);
                (Ok(reply), number)
            }
            Err(fell) => {
                self.legs.then(fell.number, Then::LeftToOther);
                (other.await, 3 - number)
            }
        };
        self.attempter.witness.hedged(match (&ended, winner) {
            (Err(_), _) => HedgeResult::Failed,
            (Ok(_), 2) => HedgeResult::Won,
            (Ok(_), _) => HedgeResult::Lost,
        });
        ended
    }
}
