//! What was used, by period.

use super::{OperationError, Operations};
use cliproxy_domain::{
    AttemptCounts, LedgerRow, TokenUsage, UsageBy, UsagePeriod, WallTime,
    operate::UsageAsked,
    status::{Source, UsageCounts, UsageEntry, UsageStatus},
};
use cliproxy_store::{StoreError, UsageQuery, UsageSum};
use std::{ops::Range, time::Duration};

/// How long the store may take in all: longer than one statement, which the store itself ends after two seconds, and
/// less long than a node waits that hands the call on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sums as they were read.
struct Read {
    sums: Vec<UsageSum>,
    truncated: bool,
    total: UsageCounts,
}

impl Operations {
    /// Tells what was used, as the ledger has it.
    ///
    /// # Errors
    /// Fails when the range or the limit is out of bounds, and when the store does not answer.
    pub(crate) async fn usage_status(&self, asked: UsageAsked) -> Result<UsageStatus, OperationError> {
        let now = self.state.clock.wall();
        let within = asked.range(now)?;
        let query = UsageQuery {
            within: within.clone(),
            period: asked.period,
            by: asked.by,
            provider: asked.provider.clone(),
            model: asked.model.clone(),
            client: None,
            // One more tells whether there are more.
            limit: asked.limit.saturating_add(1),
        };
        let hours = UsagePeriod::Hour.start_of(within.start)..within.end;
        let reading = async { tokio::try_join!(self.sums(query, asked.limit), self.late(&asked, hours)) };
        let Ok(read) = tokio::time::timeout(PATIENCE, reading).await else {
            let why = format!("it did not sum up the range within {PATIENCE:?}; ask for a shorter one");
            return Err(StoreError::Unavailable(why).into());
        };
        let (Read { sums, truncated, total }, late) = read?;
        Ok(UsageStatus {
            source: Source::Cluster,
            as_of: now,
            from: within.start,
            to: within.end,
            period: asked.period,
            usage: sums.into_iter().map(entry).collect(),
            truncated,
            total,
            late,
        })
    }

    /// Reads the sums, at most so many, and the total of all.
    async fn sums(&self, query: UsageQuery, most: u32) -> Result<Read, StoreError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut sums = self.state.store.usage_by(query.clone()).await?;
        let truncated = sums.len() > most;
        let total = if truncated { self.in_all(query).await? } else { added(&sums) };
        sums.truncate(most);
        Ok(Read { sums, truncated, total })
    }

    /// Adds up the whole range of a query.
    async fn in_all(&self, query: UsageQuery) -> Result<UsageCounts, StoreError> {
        let query = UsageQuery { by: UsageBy::default(), limit: u32::MAX, ..query };
        Ok(added(&self.state.store.usage_by(query).await?))
    }

    /// Adds up what is not counted as it may have been counted before.
    async fn late(
        &self,
        asked: &UsageAsked,
        hours: Range<WallTime>,
    ) -> Result<Option<UsageCounts>, StoreError> {
        let is_asked_for = |row: &LedgerRow| {
            asked.provider.as_ref().is_none_or(|provider| *provider == row.key.provider)
                && asked.model.as_ref().is_none_or(|model| *model == row.key.model)
        };
        let (mut attempts, mut tokens, mut rows) = (AttemptCounts::default(), TokenUsage::default(), 0_u64);
        for row in self.state.store.late_usage(hours).await?.into_iter().filter(is_asked_for) {
            attempts += row.attempts;
            tokens += row.tokens;
            rows += 1;
        }
        Ok((rows > 0).then(|| UsageCounts::of(&attempts, &tokens)))
    }
}

fn added(sums: &[UsageSum]) -> UsageCounts {
    let (mut attempts, mut tokens) = (AttemptCounts::default(), TokenUsage::default());
    for sum in sums {
        attempts += sum.attempts;
        tokens += sum.tokens;
    }
    UsageCounts::of(&attempts, &tokens)
}

fn entry(sum: UsageSum) -> UsageEntry {
    UsageEntry {
        at: sum.at,
        provider: sum.of.provider,
        credential: sum.of.credential,
        model: sum.of.model,
        counts: UsageCounts::of(&sum.attempts, &sum.tokens),
    }
}
