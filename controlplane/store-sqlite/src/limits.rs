//! What is granted of limits. The caller holds the one connection that writes.

mod rows;

use crate::{audit, fault::Fault, sql};
use cliproxy_domain::{Incarnation, NodeId, RateId, WallTime, escrow, escrow::HolderBooks, share::RateBooks};
use cliproxy_store::{
    EscrowLease, LeaseBooks, Leased, Leasing, ReleaseEscrow, Released, ShareLease, WindowLeases,
    leasing::{self, Books, Columns, EscrowKey, Settled, Wanted, Window, WindowKey},
};
use rows::{amount, bind_columns, bind_escrow, bind_share, bind_window};
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

/// Grants what is claimed. The caller commits.
pub(crate) async fn lease(connection: &mut SqliteConnection, leasing: &Leasing) -> Result<Leased, Fault> {
    let now = clock(connection).await?;
    let books = read(connection, &Wanted::by(leasing)).await?;
    let settled = leasing::settle(leasing, books, now);
    write(connection, &settled).await?;
    let mut holders = Vec::new();
    for key in settled.short.keys() {
        let query = bind_window(sqlx::query(sql::FREE_ESCROWS), key);
        for row in &query.fetch_all(&mut *connection).await? {
            let (node, incarnation, holder) = rows::holder(row)?;
            holders.push((EscrowKey { window: key.clone(), node, incarnation }, holder));
        }
    }
    let leased = settled.recall(holders, leasing.now);
    audit::write(connection, &leased.audit(leasing.now)).await?;
    Ok(leased)
}

async fn clock(connection: &mut SqliteConnection) -> Result<WallTime, Fault> {
    Ok(WallTime(sqlx::query_scalar(sql::NOW).fetch_one(connection).await?))
}

async fn read(connection: &mut SqliteConnection, wanted: &Wanted) -> Result<Books, Fault> {
    let mut books = Books::default();
    for key in &wanted.windows {
        let query = bind_window(sqlx::query(sql::WINDOW), key);
        if let Some(row) = query.fetch_optional(&mut *connection).await? {
            books.windows.insert(key.clone(), rows::window(&row, 0)?);
        }
    }
    for key in &wanted.escrows {
        let query = bind_escrow(sqlx::query(sql::ESCROW), key);
        if let Some(row) = query.fetch_optional(&mut *connection).await? {
            books.escrows.insert(key.clone(), rows::holder(&row)?.2);
        }
    }
    for id in &wanted.rates {
        books.rates.insert(id.clone(), read_rate(connection, id).await?);
    }
    Ok(books)
}

async fn read_rate(connection: &mut SqliteConnection, id: &RateId) -> Result<RateBooks, Fault> {
    let query = bind_columns(sqlx::query(sql::SHARES_OF), Columns::of_rate(id));
    query.fetch_all(connection).await?.iter().map(rows::share).collect()
}

async fn write(connection: &mut SqliteConnection, settled: &Settled) -> Result<(), Fault> {
    for (key, window) in &settled.windows {
        write_window(connection, key, window).await?;
    }
    for (key, holder) in &settled.escrows {
        write_holder(connection, key, holder).await?;
    }
    for (key, holder) in &settled.shares {
        bind_share(sqlx::query(sql::SET_SHARE), key)
            .bind(holder.req.cast_signed())
            .bind(amount(holder.share))
            .bind(amount(holder.held))
            .bind(amount(holder.safe_share))
            .bind(amount(holder.demand))
            .bind(holder.expires_at.0)
            .bind(holder.upstream.map(|told| amount(told.limit)))
            .bind(holder.upstream.map(|told| told.at.0))
            .execute(&mut *connection)
            .await?;
    }
    for key in &settled.over {
        bind_share(sqlx::query(sql::FORGET_SHARE), key).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write_window(
    connection: &mut SqliteConnection,
    key: &WindowKey,
    window: &Window,
) -> Result<(), Fault> {
    bind_window(sqlx::query(sql::SET_WINDOW), key)
        .bind(window.ends_at.0)
        .bind(amount(window.books.limit))
        .bind(amount(window.books.settled))
        .bind(amount(window.books.outstanding))
        .bind(i64::from(window.told))
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_holder(
    connection: &mut SqliteConnection,
    key: &EscrowKey,
    holder: &HolderBooks,
) -> Result<(), Fault> {
    bind_escrow(sqlx::query(sql::SET_ESCROW), key)
        .bind(amount(holder.granted))
        .bind(amount(holder.spent))
        .bind(amount(holder.returned))
        .bind(holder.closed_by.map(|closer| closer.0.cast_signed()))
        .execute(connection)
        .await?;
    Ok(())
}

/// Tells what is granted. The caller sees one state of the database.
pub(crate) async fn all(connection: &mut SqliteConnection, now: WallTime) -> Result<LeaseBooks, Fault> {
    let by_clock = clock(connection).await?;
    let mut holders: BTreeMap<WindowKey, Vec<(EscrowKey, HolderBooks)>> = BTreeMap::new();
    let query = sqlx::query(sql::RUNNING_ESCROWS).bind(now.0);
    for row in &query.fetch_all(&mut *connection).await? {
        let window = rows::window_key(row, 4)?;
        let (node, incarnation, holder) = rows::holder_from(row, 5)?;
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
        let ((node, incarnation), holder) = rows::share_from(row, 4)?;
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
    let mut released = Vec::new();
    for (mut key, mut window) in read_running(connection, release).await? {
        for (incarnation, mut holder) in read_of_node(connection, &key, &release.node).await? {
            if release.incarnation.is_some_and(|meant| meant != incarnation) {
                continue;
            }
            let amount = escrow::release(&mut window.books, &mut holder, incarnation);
            let escrow = EscrowKey { window: key, node: release.node.clone(), incarnation };
            write_holder(connection, &escrow, &holder).await?;
            key = escrow.window;
            released.push(Released { incarnation, period: key.period, amount });
        }
        write_window(connection, &key, &window).await?;
    }
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
    let query = bind_window(sqlx::query(sql::ESCROWS_OF_NODE), key).bind(node.as_str().to_owned());
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| rows::holder(row).map(|(_, incarnation, holder)| (incarnation, holder))).collect()
}
