//! The rows of limits, as they are asked for and read.

use crate::{fault::Fault, text};
use cliproxy_domain::{
    BudgetId, Incarnation, NodeId, RateId, WallTime,
    escrow::{HolderBooks, WindowBooks},
    share::{Holder, Told},
};
use cliproxy_store::leasing::{Columns, EscrowKey, Window, WindowKey};
use sqlx::{
    Postgres, Row,
    postgres::{PgArguments, PgRow},
    query::Query,
};

pub(super) type Bound = Query<'static, Postgres, PgArguments>;

/// What names limits, as arrays, one for each column: made such that the database takes them.
#[derive(Default)]
pub(super) struct Names {
    subjects: Vec<String>,
    owners: Vec<String>,
    credentials: Vec<String>,
    counts: Vec<String>,
}

impl Names {
    pub(super) fn of<'a>(limits: impl Iterator<Item = Columns<'a>>) -> Self {
        let mut names = Self::default();
        for limit in limits {
            names.subjects.push(limit.subject.to_owned());
            names.owners.push(text::key(limit.owner).into_owned());
            names.credentials.push(text::key(limit.credential).into_owned());
            names.counts.push(limit.counts.to_owned());
        }
        names
    }

    /// Binds the four columns.
    pub(super) fn bind(self, query: Bound) -> Bound {
        query.bind(self.subjects).bind(self.owners).bind(self.credentials).bind(self.counts)
    }
}

/// Binds the five columns that name periods of budgets.
pub(super) fn bind_windows<'a>(query: Bound, keys: impl Iterator<Item = &'a WindowKey> + Clone) -> Bound {
    let names = Names::of(keys.clone().map(|key| Columns::of_budget(&key.id)));
    names.bind(query).bind(keys.map(|key| key.period.0).collect::<Vec<_>>())
}

/// Binds the seven columns that name what processes have of them.
pub(super) fn bind_escrows<'a>(query: Bound, keys: impl Iterator<Item = &'a EscrowKey> + Clone) -> Bound {
    bind_windows(query, keys.clone().map(|key| &key.window))
        .bind(text::keys(keys.clone().map(|key| key.node.as_str())))
        .bind(keys.map(|key| key.incarnation.0.cast_signed()).collect::<Vec<_>>())
}

/// Reads which of what was asked for the first column says that a row is about.
pub(super) fn place(row: &PgRow) -> Result<usize, Fault> {
    let place: i64 = row.try_get(0)?;
    Ok(usize::try_from(place).unwrap_or(0).wrapping_sub(1))
}

/// Reads a period from that column on: when it ends, its books, and what was told.
pub(super) fn window(row: &PgRow, first: usize) -> Result<Window, Fault> {
    let number = |at: usize| unsigned(row, first + at);
    let books = WindowBooks { limit: number(1)?, settled: number(2)?, outstanding: number(3)? };
    Ok(Window { ends_at: time(row, first)?, books, told: u8::try_from(number(4)?).unwrap_or(u8::MAX) })
}

/// Reads the budget that is named by the first four columns.
pub(super) fn budget(row: &PgRow) -> Result<BudgetId, Fault> {
    named(row, |columns| columns.budget())
}

/// Reads the rate that is named by the first four columns.
pub(super) fn rate(row: &PgRow) -> Result<RateId, Fault> {
    named(row, |columns| columns.rate())
}

fn named<T>(row: &PgRow, read: impl FnOnce(Columns<'_>) -> Option<T>) -> Result<T, Fault> {
    let columns = Columns {
        subject: row.try_get(0)?,
        owner: row.try_get(1)?,
        credential: row.try_get(2)?,
        counts: row.try_get(3)?,
    };
    let unknown = || Fault::Corrupt(format!("a limit is kept that cannot be read: {columns:?}"));
    read(columns).ok_or_else(unknown)
}

/// Tells whether anybody has anything, by that column.
pub(super) fn has_holder(row: &PgRow, first: usize) -> Result<bool, Fault> {
    Ok(row.try_get::<Option<String>, _>(first)?.is_some())
}

/// Reads who has what, from that column on.
pub(super) fn holder(row: &PgRow, first: usize) -> Result<(NodeId, Incarnation, HolderBooks), Fault> {
    let closed_by = row.try_get::<Option<i64>, _>(first + 5)?;
    let books = HolderBooks {
        granted: unsigned(row, first + 2)?,
        spent: unsigned(row, first + 3)?,
        returned: unsigned(row, first + 4)?,
        closed_by: closed_by.map(|closer| Incarnation(closer.cast_unsigned())),
    };
    let (node, incarnation) = process(row, first)?;
    Ok((node, incarnation, books))
}

/// Reads who has which share, from that column on.
pub(super) fn share(row: &PgRow, first: usize) -> Result<((NodeId, Incarnation), Holder), Fault> {
    let told: (Option<i64>, Option<i64>) = (row.try_get(first + 8)?, row.try_get(first + 9)?);
    let upstream = match told {
        (Some(limit), Some(at)) => Some(Told { limit: u64::try_from(limit).unwrap_or(0), at: WallTime(at) }),
        _ => None,
    };
    let holder = Holder {
        req: row.try_get::<i64, _>(first + 2)?.cast_unsigned(),
        share: unsigned(row, first + 3)?,
        held: unsigned(row, first + 4)?,
        safe_share: unsigned(row, first + 5)?,
        demand: unsigned(row, first + 6)?,
        expires_at: time(row, first + 7)?,
        upstream,
    };
    Ok((process(row, first)?, holder))
}

fn process(row: &PgRow, first: usize) -> Result<(NodeId, Incarnation), Fault> {
    let node = NodeId::new(row.try_get::<String, _>(first)?);
    Ok((node, Incarnation(row.try_get::<i64, _>(first + 1)?.cast_unsigned())))
}

pub(super) fn time(row: &PgRow, column: usize) -> Result<WallTime, Fault> {
    Ok(WallTime(row.try_get(column)?))
}

/// Reads a number that is never negative.
fn unsigned(row: &PgRow, column: usize) -> Result<u64, Fault> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|_| Fault::Corrupt(format!("an amount of a limit is {number}")))
}
