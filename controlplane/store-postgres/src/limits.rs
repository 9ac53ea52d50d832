//! What is granted of limits.
//!
//! Whoever reads or writes rows of a limit to change them holds an advisory lock first, of all limits whose names have
//! the same hash. The rows of a rate cannot be locked instead, as those of processes that are yet to come count as well;
//! and there are few locks, so that the server has room for them however many limits there are.

mod rows;
mod written;

use crate::{audit, fault::Fault, sql, text};
use cliproxy_domain::{BudgetId, RateId, WallTime, escrow};
use cliproxy_store::{
    EscrowLease, LeaseBooks, Leased, Leasing, ReleaseEscrow, Released, ShareLease, WindowLeases,
    leasing::{self, Books, Columns, EscrowKey, Settled, Wanted, WindowKey},
};
use rows::Names;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::Xxh3Default;

/// Into how many locks limits fall.
const LOCKS: u64 = 64;

/// Grants what is claimed. The caller commits.
pub(crate) async fn lease(connection: &mut PgConnection, leasing: &Leasing) -> Result<Leased, Fault> {
    let wanted = Wanted::by(leasing);
    let budgets = wanted.windows.iter().map(|key| Columns::of_budget(&key.id));
    let now = lock(connection, budgets.chain(wanted.rates.iter().map(Columns::of_rate))).await?;
    let books = read(connection, &wanted).await?;
    let settled = leasing::settle(leasing, books, now);
    write(connection, &settled).await?;
    let short: Vec<&WindowKey> = settled.short.keys().collect();
    let mut holders = Vec::new();
    if !short.is_empty() {
        let query = rows::bind_windows(sqlx::query(sql::FREE_ESCROWS), short.iter().copied());
        for row in &query.fetch_all(&mut *connection).await? {
            let (node, incarnation, holder) = rows::holder(row, 1)?;
            let window = nth(&short, row)?.clone();
            holders.push((EscrowKey { window, node, incarnation }, holder));
        }
    }
    let leased = settled.recall(holders, leasing.now);
    audit::write(connection, &leased.audit(leasing.now)).await?;
    Ok(leased)
}

/// Waits until nobody else is at these limits, until the transaction ends; in one order, so that no two wait for each
/// other. Gives the time after the wait, by the database's clock.
async fn lock<'a>(
    connection: &mut PgConnection,
    limits: impl Iterator<Item = Columns<'a>>,
) -> Result<WallTime, Fault> {
    let locks: BTreeSet<i32> = limits.map(lock_of).collect();
    let query = sqlx::query_scalar(sql::LOCK_LIMITS).bind(locks.into_iter().collect::<Vec<_>>());
    Ok(WallTime(query.fetch_one(connection).await?))
}

fn lock_of(limit: Columns<'_>) -> i32 {
    let mut hash = Xxh3Default::new();
    for name in [limit.subject, limit.owner, limit.credential, limit.counts] {
        hash.update(name.as_bytes());
        // Names of different lengths beside each other must not look alike.
        hash.update(&name.len().to_le_bytes());
    }
    i32::try_from(hash.digest() % LOCKS).unwrap_or(0)
}

/// Gives what a row is about, which says so by its place, from 1, in what was asked for.
fn nth<'a, T>(asked: &[&'a T], row: &sqlx::postgres::PgRow) -> Result<&'a T, Fault> {
    let place = rows::place(row)?;
    asked
        .get(place)
        .copied()
        .ok_or_else(|| Fault::Corrupt(format!("row {place} of an answer was not asked for")))
}

async fn read(connection: &mut PgConnection, wanted: &Wanted) -> Result<Books, Fault> {
    let mut books = Books::default();
    if !wanted.windows.is_empty() {
        let asked: Vec<&WindowKey> = wanted.windows.iter().collect();
        let query = rows::bind_windows(sqlx::query(sql::WINDOWS), asked.iter().copied());
        for row in &query.fetch_all(&mut *connection).await? {
            books.windows.insert(nth(&asked, row)?.clone(), rows::window(row, 1)?);
        }
    }
    if !wanted.escrows.is_empty() {
        let asked: Vec<&EscrowKey> = wanted.escrows.iter().collect();
        let query = rows::bind_escrows(sqlx::query(sql::ESCROWS), asked.iter().copied());
        for row in &query.fetch_all(&mut *connection).await? {
            books.escrows.insert(nth(&asked, row)?.clone(), rows::holder(row, 1)?.2);
        }
    }
    if !wanted.rates.is_empty() {
        let asked: Vec<&RateId> = wanted.rates.iter().collect();
        let names = Names::of(asked.iter().map(|id| Columns::of_rate(id)));
        for row in &names.bind(sqlx::query(sql::SHARES_OF)).fetch_all(&mut *connection).await? {
            let (who, holder) = rows::share(row, 1)?;
            books.rates.entry(nth(&asked, row)?.clone()).or_default().insert(who, holder);
        }
    }
    Ok(books)
}

async fn write(connection: &mut PgConnection, settled: &Settled) -> Result<(), Fault> {
    written::windows(connection, &settled.windows).await?;
    written::escrows(connection, &settled.escrows).await?;
    written::shares(connection, &settled.shares).await?;
    written::over(connection, &settled.over).await
}

/// Tells what is granted: of windows and holders each what one statement sees.
pub(crate) async fn all(connection: &mut PgConnection, now: WallTime) -> Result<LeaseBooks, Fault> {
    let mut windows: BTreeMap<WindowKey, (leasing::Window, Vec<(EscrowKey, escrow::HolderBooks)>)> =
        BTreeMap::new();
    for row in &sqlx::query(sql::RUNNING).bind(now.0).fetch_all(&mut *connection).await? {
        let key = WindowKey { id: rows::budget(row)?, period: rows::time(row, 4)? };
        let known = match windows.entry(key.clone()) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                new.insert((rows::window(row, 5)?, Vec::new()))
            }
        };
        if rows::has_holder(row, 10)? {
            let (node, incarnation, holder) = rows::holder(row, 10)?;
            known.1.push((EscrowKey { window: key, node, incarnation }, holder));
        }
    }
    let windows = windows.into_iter().map(|(key, (window, mut holders))| {
        holders.sort_by(|(a, _), (b, _)| a.cmp(b));
        let holders = holders.iter().map(|(key, holder)| EscrowLease::of(key, holder)).collect();
        WindowLeases::of(&key, &window, holders)
    });
    let windows = windows.collect();
    let mut shares = Vec::new();
    for row in &sqlx::query(sql::SHARES).fetch_all(connection).await? {
        let id = rows::rate(row)?;
        let ((node, incarnation), holder) = rows::share(row, 4)?;
        let by_clock = rows::time(row, 14)?;
        if !holder.is_over(by_clock) {
            shares.push(ShareLease::of((id, node, incarnation), &holder, by_clock));
        }
    }
    shares.sort_by(|a, b| (&a.id, &a.node, a.incarnation).cmp(&(&b.id, &b.node, b.incarnation)));
    Ok(LeaseBooks { windows, shares })
}

/// Takes back what a node has. The caller commits.
pub(crate) async fn release(
    connection: &mut PgConnection,
    release: &ReleaseEscrow,
) -> Result<Vec<Released>, Fault> {
    lock(connection, std::iter::once(Columns::of_budget(&release.id))).await?;
    let (mut windows, mut escrows) = (BTreeMap::new(), BTreeMap::new());
    let mut released = BTreeMap::new();
    for row in &running_of(connection, &release.id, release).await? {
        let key = WindowKey { id: release.id.clone(), period: rows::time(row, 0)? };
        let window = match windows.entry(key.clone()) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => new.insert(rows::window(row, 1)?),
        };
        let (_, incarnation, mut holder) = rows::holder(row, 6)?;
        if release.incarnation.is_some_and(|meant| meant != incarnation) {
            continue;
        }
        let amount = escrow::release(&mut window.books, &mut holder, incarnation);
        released.insert((key.period, incarnation), amount);
        escrows.insert(EscrowKey { window: key, node: release.node.clone(), incarnation }, holder);
    }
    written::windows(connection, &windows).await?;
    written::escrows(connection, &escrows).await?;
    let one = |((period, incarnation), amount)| Released { incarnation, period, amount };
    Ok(released.into_iter().map(one).collect())
}

async fn running_of(
    connection: &mut PgConnection,
    id: &BudgetId,
    release: &ReleaseEscrow,
) -> Result<Vec<sqlx::postgres::PgRow>, Fault> {
    let columns = Columns::of_budget(id);
    let query = sqlx::query(sql::RUNNING_OF_NODE)
        .bind(columns.subject)
        .bind(text::key(columns.owner))
        .bind(text::key(columns.credential))
        .bind(columns.counts)
        .bind(release.now.0)
        .bind(text::key(release.node.as_str()));
    Ok(query.fetch_all(connection).await?)
}
