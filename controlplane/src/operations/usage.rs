//! What was used, by period.

mod table;
mod tags;

use super::{OperationError, Operations};
use cliproxy_domain::{
    AttemptCounts, LedgerRow, TokenUsage, UsageBy, UsagePeriod, WallTime,
    operate::{MOST_LINES, UsageAsked, UsageFormat},
    status::{Source, UsageCounts, UsageEntry, UsageStatus},
};
use cliproxy_store::{StoreError, UsageQuery, UsageSum};
use std::{collections::BTreeMap, ops::Range, time::Duration};

/// How long the store may take in all: longer than one statement, which the store itself ends after two seconds, and
/// less long than a node waits that hands the call on.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many sums by client are read at most to be summed by tags.
const MOST_OF_CLIENTS: u32 = 100_000;

/// Sums as they were read.
struct Read {
    usage: Vec<UsageEntry>,
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
            client: asked.client.clone(),
            // One more tells whether there are more.
            limit: asked.limit.saturating_add(1),
        };
        let hours = UsagePeriod::Hour.start_of(within.start)..within.end;
        let reading = async { tokio::try_join!(self.read(query, &asked), self.late(&asked, hours)) };
        let Ok(read) = tokio::time::timeout(PATIENCE, reading).await else {
            let why = format!("it did not sum up the range within {PATIENCE:?}; ask for a shorter one");
            return Err(StoreError::Unavailable(why).into());
        };
        let (Read { usage, truncated, total }, late) = read?;
        Ok(UsageStatus {
            source: Source::Cluster,
            as_of: now,
            from: within.start,
            to: within.end,
            period: asked.period,
            usage,
            truncated,
            total,
            late,
        })
    }

    /// Tells what was used as a table of text, with a line for each sum.
    ///
    /// # Errors
    /// Fails as [`Operations::usage_status`], and when a table of all that is asked for would be too long: half a table
    /// would be taken for a whole one.
    pub(crate) async fn usage_table(&self, asked: UsageAsked) -> Result<String, OperationError> {
        let (tags, limit) = (asked.tags.clone(), asked.limit);
        let status = self.usage_status(UsageAsked { format: UsageFormat::Csv, ..asked }).await?;
        if status.truncated && limit == MOST_LINES {
            let message = format!(
                "there are more than {MOST_LINES} sums; ask for a shorter range or a longer period, or set limit to have \
                 the newest alone"
            );
            return Err(OperationError::Invalid(message));
        }
        Ok(table::of(&status, &tags))
    }

    /// Reads the sums, at most as many as are asked for, and the total of all.
    async fn read(&self, query: UsageQuery, asked: &UsageAsked) -> Result<Read, OperationError> {
        let most = usize::try_from(asked.limit).unwrap_or(usize::MAX);
        if !asked.tags.is_empty() {
            return self.read_by_tags(query, asked, most).await;
        }
        let mut sums = self.state.store.usage_by(query.clone()).await?;
        let truncated = sums.len() > most;
        let total = if truncated { self.in_all(query).await? } else { added(&sums) };
        sums.truncate(most);
        let usage = sums.into_iter().map(|sum| entry(sum, BTreeMap::new())).collect();
        Ok(Read { usage, truncated, total })
    }

    /// Reads the sums by client, and sums these by their tags.
    async fn read_by_tags(
        &self,
        query: UsageQuery,
        asked: &UsageAsked,
        most: usize,
    ) -> Result<Read, OperationError> {
        let by = UsageBy { client: true, ..query.by };
        let query = UsageQuery { by, limit: MOST_OF_CLIENTS.saturating_add(1), ..query };
        let sums = self.state.store.usage_by(query).await?;
        if sums.len() > usize::try_from(MOST_OF_CLIENTS).unwrap_or(usize::MAX) {
            let message = format!(
                "more than {MOST_OF_CLIENTS} sums by client would be summed by tags; ask for a shorter range or a longer \
                 period"
            );
            return Err(OperationError::Invalid(message));
        }
        let total = added(&sums);
        let active = self.active()?;
        let mut usage: Vec<UsageEntry> = tags::summed(sums, asked, &active.snapshot.clients)
            .into_iter()
            .map(|(tags, sum)| entry(sum, tags))
            .collect();
        let truncated = usage.len() > most;
        usage.truncate(most);
        Ok(Read { usage, truncated, total })
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
    ) -> Result<Option<UsageCounts>, OperationError> {
        let is_asked_for = |row: &LedgerRow| {
            asked.provider.as_ref().is_none_or(|provider| *provider == row.key.provider)
                && asked.model.as_ref().is_none_or(|model| *model == row.key.model)
                && asked.client.as_ref().is_none_or(|client| row.key.client.as_ref() == Some(client))
        };
        let (mut attempts, mut tokens) = (AttemptCounts::default(), TokenUsage::default());
        let (mut cost, mut rows) = (0_u64, 0_u64);
        for row in self.state.store.late_usage(hours).await?.into_iter().filter(is_asked_for) {
            attempts += row.attempts;
            tokens += row.tokens;
            cost = cost.saturating_add(row.cost_nanos);
            rows += 1;
        }
        Ok((rows > 0).then(|| UsageCounts::of(&attempts, &tokens, cost)))
    }
}

fn added(sums: &[UsageSum]) -> UsageCounts {
    let (mut attempts, mut tokens) = (AttemptCounts::default(), TokenUsage::default());
    let mut cost = 0_u64;
    for sum in sums {
        attempts += sum.attempts;
        tokens += sum.tokens;
        cost = cost.saturating_add(sum.cost_nanos);
    }
    UsageCounts::of(&attempts, &tokens, cost)
}

fn entry(sum: UsageSum, tags: BTreeMap<String, String>) -> UsageEntry {
    UsageEntry {
        at: sum.at,
        provider: sum.of.provider,
        credential: sum.of.credential,
        model: sum.of.model,
        client: sum.of.client,
        price: sum.of.price,
        tags,
        counts: UsageCounts::of(&sum.attempts, &sum.tokens, sum.cost_nanos),
    }
}
