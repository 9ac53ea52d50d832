//! What is granted of limits. The caller holds the one connection that writes.

mod rows;
mod written;

use crate::{audit, fault::Fault, sql};
use cliproxy_domain::{Incarnation, NodeId, RateId, WallTime, escrow, escrow::HolderBooks};
use cliproxy_store::{
    EscrowLease, LeaseBooks, Leased, Leasing, ReleaseEscrow, Released, ShareLease, WindowLeases,
    leasing::{self, Books, Columns, EscrowKey, Settled, Wanted, Window, WindowKey},
};
use rows::bind_columns;
use sqlx::{SqliteConnection, sqlite::SqliteRow};
use std::collections::BTreeMap;

/// Grants what is claimed. The caller commits.
pub(crate) async fn lease(connection: &mut SqliteConnection, leasing: &Leasing) -> Result<Leased, Fault> {
    let now = clock(connection).await?;
    let books = read(connection, &Wanted::by(leasing)).await?;
    let settled = leasing::settle(leasing, books, now);
    write(connection, &settled).await?;
    let short: Vec<&WindowKey> = settled.short.keys().collect();
    let mut holders = Vec::new();
    for row in &answers(connection, sql::FREE_ESCROWS, &short, rows::windows).await? {
        let (node, incarnation, holder) = rows::holder(row, 1)?;
        let window = rows::nth(&short, row)?.clone();
        holders.push((EscrowKey { window, node, incarnation }, holder));
    }
    let leased = settled.recall(holders, leasing.now);
    audit::write(connection, &leased.audit(leasing.now)).await?;
    Ok(leased)
}

async fn clock(connection: &mut SqliteConnection) -> Result<WallTime, Fault> {
    Ok(WallTime(sqlx::query_scalar(sql::NOW).fetch_one(connection).await?))
}

/// Reads what is kept of what is asked for; nothing where nothing is.
async fn answers<T>(
    connection: &mut SqliteConnection,
    statement: &'static str,
    asked: &[&T],
    rows: impl Fn(&[&T]) -> String,
) -> Result<Vec<SqliteRow>, Fault> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sqlx::query(statement).bind(rows(asked)).fetch_all(connection).await?)
}

async fn read(connection: &mut SqliteConnection, wanted: &Wanted) -> Result<Books, Fault> {
    let mut books = Books::default();
    let asked: Vec<&WindowKey> = wanted.windows.iter().collect();
    for row in &answers(connection, sql::WINDOWS, &asked, rows::windows).await? {
        books.windows.insert(rows::nth(&asked, row)?.clone(), rows::window(row, 1)?);
    }
    let asked: Vec<&EscrowKey> = wanted.escrows.iter().collect();
    for row in &answers(connection, sql::ESCROWS, &asked, rows::escrows).await? {
        books.escrows.insert(rows::nth(&asked, row)?.clone(), rows::holder(row, 1)?.2);
    }
    let asked: Vec<&RateId> = wanted.rates.iter().collect();
    for row in &answers(connection, sql::SHARES_OF, &asked, rows::rates).await? {
        let (who, holder) = rows::share(row, 1)?;
        books.rates.entry(rows::nth(&asked, row)?.clone()).or_default().insert(who, holder);
    }
    Ok(books)
}

async fn write(connection: &mut SqliteConnection, settled: &Settled) -> Result<(), Fault> {
    written::windows(connection, &settled.windows).await?;
    written::escrows(connection, &settled.escrows).await?;
    written::shares(connection, &settled.shares).await?;
    written::over(connection, &settled.over).await
}

/// Tells what is granted. The caller sees one state of the database.
pub(crate) async fn all(connection: &mut SqliteConnection, now: WallTime) -> Result<LeaseBooks, Fault> {
    let by_clock = clock(connection).await?;
    let mut holders: BTreeMap<WindowKey, Vec<(EscrowKey, HolderBooks)>> = BTreeMap::new();
    let query = sqlx::query(sql::RUNNING_ESCROWS).bind(now.0);
    for row in &query.fetch_all(&mut *connection).await? {
        let window = rows::window_key(row, 4)?;
        let (node, incarnation, holder) = rows::holder(row, 5)?;
        let key = EscrowKey { window: window.clone(), node, incarnation };
        holders.entry(window).or_default().push((key, holder));
    }
    let mut windows = Vec::new();
    let query = sqlx::query(sql::RUNNING_WINDOWS).bind(now.0);
    for row in &query.fetch_all(&mut *connection).await? {
        let key = rows::window_key(row, 4)?;
        let mut holders = holders.remove(&key).unwrap_or_default();
        holders.sort_by(|(a, _), (b, _)| a.cmp(b));
        let holders = holders.iter().map(|(key, holder)| EscrowLease::of(key, holder)).collect();
        windows.push(WindowLeases::of(&key, &rows::window(row, 5)?, holders));
    }
    windows.sort_by(|a, b| (&a.id, a.period.start).cmp(&(&b.id, b.period.start)));
    let mut shares = Vec::new();
    for row in &sqlx::query(sql::SHARES).fetch_all(&mut *connection).await? {
        let id = rows::rate(row)?;
        let ((node, incarnation), holder) = rows::share(row, 4)?;
        if !holder.is_over(by_clock) {
            shares.push(ShareLease::of((id, node, incarnation), &holder, by_clock));
        }
    }
    shares.sort_by(|a, b| (&a.id, &a.node, a.incarnation).cmp(&(&b.id, &b.node, b.incarnation)));
    Ok(LeaseBooks { windows, shares })
}

/// Takes back what a node has. The caller commits.
pub(crate) async fn release(
    connection: &mut SqliteConnection,
    release: &ReleaseEscrow,
) -> Result<Vec<Released>, Fault> {
    let (mut windows, mut escrows) = (BTreeMap::new(), BTreeMap::new());
    let mut released = Vec::new();
    for (key, mut window) in read_running(connection, release).await? {
        for (incarnation, mut holder) in read_of_node(connection, &key, &release.node).await? {
            if release.incarnation.is_some_and(|meant| meant != incarnation) {
                continue;
            }
            let amount = escrow::release(&mut window.books, &mut holder, incarnation);
            released.push(Released { incarnation, period: key.period, amount });
            escrows
                .insert(EscrowKey { window: key.clone(), node: release.node.clone(), incarnation }, holder);
        }
        windows.insert(key, window);
    }
    written::windows(connection, &windows).await?;
    written::escrows(connection, &escrows).await?;
    Ok(released)
}

async fn read_running(
    connection: &mut SqliteConnection,
    release: &ReleaseEscrow,
) -> Result<Vec<(WindowKey, Window)>, Fault> {
    let query =
        bind_columns(sqlx::query(sql::WINDOWS_OF), Columns::of_budget(&release.id)).bind(release.now.0);
    let mut windows = Vec::new();
    for row in &query.fetch_all(connection).await? {
        let period = rows::time(row, 0)?;
        windows.push((WindowKey { id: release.id.clone(), period }, rows::window(row, 1)?));
    }
    Ok(windows)
}

async fn read_of_node(
    connection: &mut SqliteConnection,
    key: &WindowKey,
    node: &NodeId,
) -> Result<BTreeMap<Incarnation, HolderBooks>, Fault> {
    let query = bind_columns(sqlx::query(sql::ESCROWS_OF_NODE), Columns::of_budget(&key.id))
        .bind(key.period.0)
        .bind(node.as_str().to_owned());
    let rows = query.fetch_all(connection).await?;
    rows.iter()
        .map(|row| rows::holder(row, 0).map(|(_, incarnation, holder)| (incarnation, holder)))
        .collect()
}
