//! The rows of limits, as they are bound and read.

use crate::fault::Fault;
use cliproxy_domain::{
    BudgetId, Incarnation, NodeId, RateId, WallTime,
    escrow::{HolderBooks, WindowBooks},
    share::{Holder, Told},
};
use cliproxy_store::leasing::{Columns, EscrowKey, Window, WindowKey};
use serde::Serialize;
use sqlx::{
    Row, Sqlite,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

type Bound = Query<'static, Sqlite, SqliteArguments>;

/// Gives an amount as a column takes it: what passes that stays at its end.
pub(super) fn amount(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// Binds the four columns that name a limit.
pub(super) fn bind_columns(query: Bound, columns: Columns<'_>) -> Bound {
    query
        .bind(columns.subject.to_owned())
        .bind(columns.owner.to_owned())
        .bind(columns.credential.to_owned())
        .bind(columns.counts.to_owned())
}

/// Gives rows as a statement takes them: a JSON array of their columns.
#[expect(clippy::expect_used, reason = "texts and numbers always have a JSON form")]
pub(super) fn array(rows: impl Iterator<Item = impl Serialize>) -> String {
    serde_json::to_string(&rows.collect::<Vec<_>>()).expect("has a JSON form")
}

/// Gives the periods that are asked for.
pub(super) fn windows(keys: &[&WindowKey]) -> String {
    array(keys.iter().map(|key| {
        let Columns { subject, owner, credential, counts } = Columns::of_budget(&key.id);
        (subject, owner, credential, counts, key.period.0)
    }))
}

/// Gives the processes whose part of a period is asked for.
pub(super) fn escrows(keys: &[&EscrowKey]) -> String {
    array(keys.iter().map(|EscrowKey { window, node, incarnation }| {
        let Columns { subject, owner, credential, counts } = Columns::of_budget(&window.id);
        let process = incarnation.0.cast_signed();
        (subject, owner, credential, counts, window.period.0, node.as_str(), process)
    }))
}

/// Gives the rates that are asked for.
pub(super) fn rates(ids: &[&RateId]) -> String {
    array(ids.iter().map(|id| {
        let Columns { subject, owner, credential, counts } = Columns::of_rate(id);
        (subject, owner, credential, counts)
    }))
}

/// Gives what a row is about, by the place in what was asked for that its first column says.
pub(super) fn nth<'a, T>(asked: &[&'a T], row: &SqliteRow) -> Result<&'a T, Fault> {
    let place: i64 = row.try_get(0)?;
    let about = usize::try_from(place).ok().and_then(|place| asked.get(place));
    about.copied().ok_or_else(|| Fault::Corrupt(format!("row {place} of an answer was not asked for")))
}

/// Reads a period from that column on: when it ends, its books, and what was told.
pub(super) fn window(row: &SqliteRow, first: usize) -> Result<Window, Fault> {
    let number = |at: usize| unsigned(row, first + at);
    let books = WindowBooks { limit: number(1)?, settled: number(2)?, outstanding: number(3)? };
    Ok(Window { ends_at: time(row, first)?, books, told: u8::try_from(number(4)?).unwrap_or(u8::MAX) })
}

/// Reads the period of a budget that is named by the first four columns, and begins at `period`.
pub(super) fn window_key(row: &SqliteRow, period: usize) -> Result<WindowKey, Fault> {
    Ok(WindowKey { id: budget(row)?, period: time(row, period)? })
}

fn budget(row: &SqliteRow) -> Result<BudgetId, Fault> {
    named(row, |columns| columns.budget())
}

/// Reads the rate that is named by the first four columns.
pub(super) fn rate(row: &SqliteRow) -> Result<RateId, Fault> {
    named(row, |columns| columns.rate())
}

fn named<T>(row: &SqliteRow, read: impl FnOnce(Columns<'_>) -> Option<T>) -> Result<T, Fault> {
    let columns = Columns {
        subject: row.try_get(0)?,
        owner: row.try_get(1)?,
        credential: row.try_get(2)?,
        counts: row.try_get(3)?,
    };
    let unknown = || Fault::Corrupt(format!("a limit is kept that cannot be read: {columns:?}"));
    read(columns).ok_or_else(unknown)
}

/// Reads who has what, from that column on.
pub(super) fn holder(row: &SqliteRow, first: usize) -> Result<(NodeId, Incarnation, HolderBooks), Fault> {
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
pub(super) fn share(row: &SqliteRow, first: usize) -> Result<((NodeId, Incarnation), Holder), Fault> {
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

fn process(row: &SqliteRow, first: usize) -> Result<(NodeId, Incarnation), Fault> {
    let node = NodeId::new(row.try_get::<String, _>(first)?);
    Ok((node, Incarnation(row.try_get::<i64, _>(first + 1)?.cast_unsigned())))
}

pub(super) fn time(row: &SqliteRow, column: usize) -> Result<WallTime, Fault> {
    Ok(WallTime(row.try_get(column)?))
}

/// Reads a number that is never negative.
fn unsigned(row: &SqliteRow, column: usize) -> Result<u64, Fault> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|_| Fault::Corrupt(format!("an amount of a limit is {number}")))
}
