//! Rows of usage as arrays, one for each column, so that one statement writes thousands.

use crate::{MAX_ROWS, fault::Fault, text};
use cliproxy_domain::{ClientName, PriceVersion, UsageKey};
use cliproxy_store::ledger::{COUNTERS, CellKey, PeriodKey, Sums};
use sqlx::PgConnection;
use std::{borrow::Cow, collections::BTreeMap};

/// The key of a row, as it is written. Sorted as all transactions lock rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    at: i64,
    provider: Cow<'a, str>,
    credential: Cow<'a, str>,
    model: Cow<'a, str>,
    /// Empty where there is none; so is the price.
    client: Cow<'a, str>,
    price: Cow<'a, str>,
    /// None in tables that have no shards.
    shard: Option<i64>,
}

impl<'a> Key<'a> {
    fn of(at: i64, ledger: &'a UsageKey, shard: Option<i64>) -> Self {
        Self {
            at,
            provider: text::key(ledger.provider.as_str()),
            credential: text::key(ledger.credential.as_str()),
            model: text::key(ledger.model.as_str()),
            client: text::name(ledger.client.as_ref().map_or("", ClientName::as_str)),
            price: text::name(ledger.price.as_ref().map_or("", PriceVersion::as_str)),
            shard,
        }
    }
}

/// What is to be added, each row once: names that the database cannot tell apart are one.
pub(super) struct Rows<'a>(BTreeMap<Key<'a>, Sums>);

impl<'a> Rows<'a> {
    pub(super) fn of_minutes(cells: &'a BTreeMap<CellKey, Sums>) -> Self {
        let key = |cell: &'a CellKey| Key::of(cell.minute.0, &cell.ledger, Some(i64::from(cell.shard)));
        Self::summed(cells.iter().map(|(cell, sums)| (key(cell), sums)))
    }

    pub(super) fn of_periods(periods: &'a BTreeMap<PeriodKey, Sums>) -> Self {
        let key = |period: &'a PeriodKey| Key::of(period.at.0, &period.ledger, None);
        Self::summed(periods.iter().map(|(period, sums)| (key(period), sums)))
    }

    fn summed<'s>(rows: impl Iterator<Item = (Key<'a>, &'s Sums)>) -> Self {
        let mut summed: BTreeMap<Key<'a>, Sums> = BTreeMap::new();
        for (key, sums) in rows {
            summed.entry(key).or_default().add(sums);
        }
        Self(summed)
    }

    /// Adds them to the table that `statement` is about.
    pub(super) async fn add_to(
        self,
        connection: &mut PgConnection,
        statement: &'static str,
    ) -> Result<(), Fault> {
        let rows: Vec<(Key<'a>, Sums)> = self.0.into_iter().collect();
        for rows in rows.chunks(MAX_ROWS) {
            let mut query = sqlx::query(statement);
            for counter in 0..COUNTERS {
                query =
                    query.bind(rows.iter().map(|(_, sums)| sums.as_signed()[counter]).collect::<Vec<_>>());
            }
            query = query
                .bind(rows.iter().map(|(key, _)| key.at).collect::<Vec<_>>())
                .bind(rows.iter().map(|(key, _)| key.provider.as_ref()).collect::<Vec<_>>())
                .bind(rows.iter().map(|(key, _)| key.credential.as_ref()).collect::<Vec<_>>())
                .bind(rows.iter().map(|(key, _)| key.model.as_ref()).collect::<Vec<_>>())
                .bind(rows.iter().map(|(key, _)| key.client.as_ref()).collect::<Vec<_>>())
                .bind(rows.iter().map(|(key, _)| key.price.as_ref()).collect::<Vec<_>>());
            let shards: Vec<i64> = rows.iter().filter_map(|(key, _)| key.shard).collect();
            if !shards.is_empty() {
                query = query.bind(shards);
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }
}
