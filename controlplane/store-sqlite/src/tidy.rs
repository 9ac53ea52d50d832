//! Rolling usage up to hours and days, and forgetting what is past its time.

use crate::{fault::Fault, ledger, sql, usage};
use cliproxy_domain::WallTime;
use cliproxy_store::{
    RETAINED_SHARES, RETAINED_WINDOWS, UsagePeriod,
    ledger::{
        Marks, PeriodKey, Sums,
        rolling::{self, MAX_ROLLED_HOURS},
    },
};
use sqlx::SqliteConnection;

/// Rolls up and forgets. The caller commits all of it together.
pub(crate) async fn tidy(connection: &mut SqliteConnection, now: WallTime) -> Result<(), Fault> {
    let mut marks = ledger::read_marks(connection).await?;
    marks.rolled_to = roll_up(connection, &marks, rolling::roll_to(now, &marks)).await?;
    marks.minutes_from = rolling::minutes_from(now, &marks);
    marks.purged_to = marks.purged_to.max(forget_cursors(connection, now).await?);
    write_marks(connection, &marks).await?;

    let hours_from = rolling::hours_from(now);
    let forgotten = [
        (sql::FORGET_MINUTES, marks.minutes_from),
        (sql::FORGET_HOURS, hours_from),
        (sql::FORGET_LATE, hours_from),
        (sql::PURGE_NODES, rolling::heard_since(now)),
        (sql::FORGET_ESCROWS, now.minus(RETAINED_WINDOWS)),
        (sql::FORGET_WINDOWS, now.minus(RETAINED_WINDOWS)),
        (sql::FORGET_SHARES, now.minus(RETAINED_SHARES)),
    ];
    for (statement, before) in forgotten {
        sqlx::query(statement).bind(before.0).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Adds the hours from the mark on that end by `to`, and gives the new mark.
async fn roll_up(connection: &mut SqliteConnection, marks: &Marks, to: WallTime) -> Result<WallTime, Fault> {
    let mut rolled_to = marks.rolled_to;
    for _ in 0..MAX_ROLLED_HOURS {
        let query = sqlx::query_scalar(sql::NEXT_MINUTE).bind(rolled_to.0);
        let next: Option<i64> = query.fetch_one(&mut *connection).await?;
        let Some(minute) = next.map(WallTime).filter(|minute| *minute < to) else {
            return Ok(to);
        };
        let hour = UsagePeriod::Hour.start_of(minute);
        rolled_to = hour.plus(UsagePeriod::Hour.length());
        for row in usage::sums(&mut *connection, hour..rolled_to).await? {
            let sums = Sums::of(&row);
            let day = PeriodKey { at: UsagePeriod::Day.start_of(hour), ledger: row.key.clone() };
            ledger::add_to_period(connection, sql::ADD_DAY, &day, &sums).await?;
            let hour = PeriodKey { at: hour, ledger: row.key };
            ledger::add_to_period(connection, sql::ADD_HOUR, &hour, &sums).await?;
        }
    }
    Ok(rolled_to)
}

/// Gives when the last of those had moved that are forgotten now.
async fn forget_cursors(connection: &mut SqliteConnection, now: WallTime) -> Result<Option<WallTime>, Fault> {
    let query = sqlx::query_scalar(sql::PURGE_CURSORS).bind(rolling::heard_since(now).0);
    let moved_at: Vec<i64> = query.fetch_all(connection).await?;
    Ok(moved_at.into_iter().max().map(WallTime))
}

async fn write_marks(connection: &mut SqliteConnection, marks: &Marks) -> Result<(), Fault> {
    sqlx::query(sql::SET_MARKS)
        .bind(marks.rolled_to.0)
        .bind(marks.minutes_from.0)
        .bind(marks.purged_to.map(|time| time.0))
        .execute(connection)
        .await?;
    Ok(())
}
