//! What is written of limits, in one statement for each table.

use super::rows::{amount, array};
use crate::{fault::Fault, sql};
use cliproxy_domain::{escrow::HolderBooks, share::Holder};
use cliproxy_store::leasing::{Columns, EscrowKey, ShareKey, Window, WindowKey};
use sqlx::SqliteConnection;
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn windows(
    connection: &mut SqliteConnection,
    windows: &BTreeMap<WindowKey, Window>,
) -> Result<(), Fault> {
    let rows = windows.iter().map(|(key, window)| {
        let Columns { subject, owner, credential, counts } = Columns::of_budget(&key.id);
        let (period, ends) = (key.period.0, window.ends_at.0);
        let limit = amount(window.books.limit);
        let (settled, outstanding) = (amount(window.books.settled), amount(window.books.outstanding));
        (subject, owner, credential, counts, period, ends, limit, settled, outstanding, window.told)
    });
    run(connection, sql::SET_WINDOWS, windows.len(), array(rows)).await
}

pub(super) async fn escrows(
    connection: &mut SqliteConnection,
    escrows: &BTreeMap<EscrowKey, HolderBooks>,
) -> Result<(), Fault> {
    let rows = escrows.iter().map(|(EscrowKey { window, node, incarnation }, holder)| {
        let Columns { subject, owner, credential, counts } = Columns::of_budget(&window.id);
        let (node, process) = (node.as_str(), incarnation.0.cast_signed());
        let (granted, spent) = (amount(holder.granted), amount(holder.spent));
        let (returned, closed_by) = (amount(holder.returned), holder.closed_by.map(|by| by.0.cast_signed()));
        let period = window.period.0;
        (subject, owner, credential, counts, period, node, process, granted, spent, returned, closed_by)
    });
    run(connection, sql::SET_ESCROWS, escrows.len(), array(rows)).await
}

pub(super) async fn shares(
    connection: &mut SqliteConnection,
    shares: &BTreeMap<ShareKey, Holder>,
) -> Result<(), Fault> {
    let rows = shares.iter().map(|((id, node, incarnation), holder)| {
        let Columns { subject, owner, credential, counts } = Columns::of_rate(id);
        (
            subject,
            owner,
            credential,
            counts,
            node.as_str(),
            incarnation.0.cast_signed(),
            holder.req.cast_signed(),
            amount(holder.share),
            amount(holder.held),
            amount(holder.safe_share),
            amount(holder.demand),
            holder.expires_at.0,
            holder.upstream.map(|told| amount(told.limit)),
            holder.upstream.map(|told| told.at.0),
        )
    });
    run(connection, sql::SET_SHARES, shares.len(), array(rows)).await
}

/// Forgets shares that are over.
pub(super) async fn over(connection: &mut SqliteConnection, over: &BTreeSet<ShareKey>) -> Result<(), Fault> {
    let rows = over.iter().map(|(id, node, incarnation)| {
        let Columns { subject, owner, credential, counts } = Columns::of_rate(id);
        (subject, owner, credential, counts, node.as_str(), incarnation.0.cast_signed())
    });
    run(connection, sql::FORGET_SHARES_OF, over.len(), array(rows)).await
}

/// Runs a statement about that many rows; not where there are none.
async fn run(
    connection: &mut SqliteConnection,
    statement: &'static str,
    count: usize,
    rows: String,
) -> Result<(), Fault> {
    if count > 0 {
        sqlx::query(statement).bind(rows).execute(connection).await?;
    }
    Ok(())
}
