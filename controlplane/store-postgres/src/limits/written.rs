//! What is written of limits, in one statement for each table.

use super::rows::{Names, bind_escrows, bind_windows};
use crate::{MAX_ROWS, fault::Fault, sql, text};
use cliproxy_domain::{escrow::HolderBooks, share::Holder};
use cliproxy_store::leasing::{Columns, EscrowKey, ShareKey, Window, WindowKey};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};

/// Gives an amount as a column takes it: what passes that stays at its end.
fn amount(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// Gives the amounts of a column.
fn column<T>(rows: &[T], of: impl Fn(&T) -> u64) -> Vec<i64> {
    rows.iter().map(|row| amount(of(row))).collect()
}

pub(super) async fn windows(
    connection: &mut PgConnection,
    windows: &BTreeMap<WindowKey, Window>,
) -> Result<(), Fault> {
    let windows: Vec<_> = windows.iter().collect();
    for rows in windows.chunks(MAX_ROWS) {
        bind_windows(sqlx::query(sql::SET_WINDOWS), rows.iter().map(|(key, _)| *key))
            .bind(rows.iter().map(|(_, window)| window.ends_at.0).collect::<Vec<_>>())
            .bind(column(rows, |(_, window)| window.books.limit))
            .bind(column(rows, |(_, window)| window.books.settled))
            .bind(column(rows, |(_, window)| window.books.outstanding))
            .bind(column(rows, |(_, window)| window.told.into()))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn escrows(
    connection: &mut PgConnection,
    escrows: &BTreeMap<EscrowKey, HolderBooks>,
) -> Result<(), Fault> {
    let escrows: Vec<_> = escrows.iter().collect();
    for rows in escrows.chunks(MAX_ROWS) {
        let closed_by = |holder: &HolderBooks| holder.closed_by.map(|closer| closer.0.cast_signed());
        bind_escrows(sqlx::query(sql::SET_ESCROWS), rows.iter().map(|(key, _)| *key))
            .bind(column(rows, |(_, holder)| holder.granted))
            .bind(column(rows, |(_, holder)| holder.spent))
            .bind(column(rows, |(_, holder)| holder.returned))
            .bind(rows.iter().map(|(_, holder)| closed_by(holder)).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn shares(
    connection: &mut PgConnection,
    shares: &BTreeMap<ShareKey, Holder>,
) -> Result<(), Fault> {
    let shares: Vec<_> = shares.iter().collect();
    for rows in shares.chunks(MAX_ROWS) {
        let names = Names::of(rows.iter().map(|((id, ..), _)| Columns::of_rate(id)));
        names
            .bind(sqlx::query(sql::SET_SHARES))
            .bind(text::keys(rows.iter().map(|((_, node, _), _)| node.as_str())))
            .bind(rows.iter().map(|((.., process), _)| process.0.cast_signed()).collect::<Vec<_>>())
            .bind(rows.iter().map(|(_, holder)| holder.req.cast_signed()).collect::<Vec<_>>())
            .bind(column(rows, |(_, holder)| holder.share))
            .bind(column(rows, |(_, holder)| holder.held))
            .bind(column(rows, |(_, holder)| holder.safe_share))
            .bind(column(rows, |(_, holder)| holder.demand))
            .bind(rows.iter().map(|(_, holder)| holder.expires_at.0).collect::<Vec<_>>())
            .bind(
                rows.iter()
                    .map(|(_, holder)| holder.upstream.map(|told| amount(told.limit)))
                    .collect::<Vec<_>>(),
            )
            .bind(rows.iter().map(|(_, holder)| holder.upstream.map(|told| told.at.0)).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Forgets shares that are over.
pub(super) async fn over(connection: &mut PgConnection, over: &BTreeSet<ShareKey>) -> Result<(), Fault> {
    if over.is_empty() {
        return Ok(());
    }
    let names = Names::of(over.iter().map(|(id, ..)| Columns::of_rate(id)));
    names
        .bind(sqlx::query(sql::FORGET_SHARES_OF))
        .bind(text::keys(over.iter().map(|(_, node, _)| node.as_str())))
        .bind(over.iter().map(|(.., process)| process.0.cast_signed()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}
