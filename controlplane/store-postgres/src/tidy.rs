//! Rolling usage up to hours and days, and forgetting what is past its time.
//!
//! In many short transactions: whoever reports waits while one of them rolls up, and waits half a second at most. Each
//! notes what it did, and does nothing once the lease is another's.

use crate::{PostgresStore, fault::Fault, leases, ledger, millis, sql, work::Beginning};
use cliproxy_domain::{Fence, WallTime};
use cliproxy_store::{
    RETAINED_SHARES, RETAINED_WINDOWS, StoreError, UsagePeriod,
    ledger::rolling::{self, MAX_ROLLED_HOURS},
};
use sqlx::PgConnection;
use std::time::Duration;

/// How many rows one transaction forgets at most.
const MAX_FORGOTTEN: u64 = 10_000;

/// Which rows are past their time.
#[derive(Clone, Copy)]
enum Past {
    /// Those of before then.
    Before(WallTime),
    /// Those that are over for longer than that, by the database's clock.
    OverFor(Duration),
}

impl Past {
    /// Gives what the statement is given.
    fn millis(self) -> i64 {
        match self {
            Past::Before(time) => time.0,
            Past::OverFor(kept) => millis(kept),
        }
    }
}

/// At what time it is tidied up, and under which lease.
type Given = (WallTime, Option<Fence>);

impl PostgresStore {
    /// Rolls up and forgets.
    pub(crate) async fn tidy_up(&self, now: WallTime, fence: Option<Fence>) -> Result<(), StoreError> {
        let given = || (now, fence.clone());
        for _ in 0..MAX_ROLLED_HOURS {
            let rolled = self.write(Beginning::Rolling, given(), |connection, given| {
                Box::pin(roll_up_one(connection, given))
            });
            if rolled.await? == Done::All {
                break;
            }
        }
        self.write(Beginning::Rolling, given(), |connection, given| {
            Box::pin(forget_cursors(connection, given))
        })
        .await?;
        let hours_from = rolling::hours_from(now);
        let minutes_from =
            self.read((), |connection, ()| Box::pin(ledger::read_marks(connection))).await?.minutes_from;
        // Nobody adds to them any more, so that nobody need be kept out meanwhile.
        self.forget(sql::FORGET_MINUTES, Past::Before(minutes_from), fence.as_ref()).await?;
        self.forget(sql::FORGET_HOURS, Past::Before(hours_from), fence.as_ref()).await?;
        self.forget(sql::FORGET_LATE, Past::Before(hours_from), fence.as_ref()).await?;
        // Periods last: who had what of them is found by them.
        let windows_from = now.minus(RETAINED_WINDOWS);
        self.forget(sql::FORGET_ESCROWS, Past::Before(windows_from), fence.as_ref()).await?;
        self.forget(sql::FORGET_WINDOWS, Past::Before(windows_from), fence.as_ref()).await?;
        self.forget(sql::FORGET_SHARES, Past::OverFor(RETAINED_SHARES), fence.as_ref()).await?;
        self.write(Beginning::Plain, given(), |connection, given| Box::pin(forget_nodes(connection, given)))
            .await
    }

    /// Forgets what is past its time, part by part.
    async fn forget(
        &self,
        statement: &'static str,
        past: Past,
        fence: Option<&Fence>,
    ) -> Result<(), StoreError> {
        loop {
            let given = (statement, past, fence.cloned());
            let forgotten = self.write(Beginning::Plain, given, |connection, (statement, past, fence)| {
                Box::pin(async {
                    leases::check(connection, fence.as_ref()).await?;
                    let query = sqlx::query(*statement).bind(past.millis()).bind(MAX_FORGOTTEN.cast_signed());
                    Ok(query.execute(connection).await?.rows_affected())
                })
            });
            if forgotten.await? < MAX_FORGOTTEN {
                return Ok(());
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    /// There may be more to do.
    Part,
    All,
}

/// Adds the next hour that has usage and ended long enough ago to the hours and days, and moves the mark.
async fn roll_up_one(connection: &mut PgConnection, (now, fence): &Given) -> Result<Done, Fault> {
    leases::check(connection, fence.as_ref()).await?;
    let marks = ledger::read_marks(connection).await?;
    let to = rolling::roll_to(*now, &marks);
    let query = sqlx::query_scalar(sql::NEXT_MINUTE).bind(marks.rolled_to.0);
    let next: Option<i64> = query.fetch_one(&mut *connection).await?;
    let Some(minute) = next.map(WallTime).filter(|minute| *minute < to) else {
        set_mark(connection, sql::SET_ROLLED_TO, to).await?;
        return Ok(Done::All);
    };
    let hour = UsagePeriod::Hour.start_of(minute);
    let end = hour.plus(UsagePeriod::Hour.length());
    let day = UsagePeriod::Day.start_of(hour);
    for (statement, begins) in [(sql::ROLL_INTO_HOURS, hour), (sql::ROLL_INTO_DAYS, day)] {
        let query = sqlx::query(statement).bind(hour.0).bind(end.0).bind(begins.0);
        query.execute(&mut *connection).await?;
    }
    set_mark(connection, sql::SET_ROLLED_TO, end).await?;
    Ok(Done::Part)
}

/// Moves the mark of the minutes that are kept, and forgets cursors, noting what they stood for.
async fn forget_cursors(connection: &mut PgConnection, (now, fence): &Given) -> Result<(), Fault> {
    leases::check(connection, fence.as_ref()).await?;
    let marks = ledger::read_marks(connection).await?;
    set_mark(connection, sql::SET_MINUTES_FROM, rolling::minutes_from(*now, &marks)).await?;
    sqlx::query(sql::FORGET_CURSORS).bind(rolling::heard_since(*now).0).execute(connection).await?;
    Ok(())
}

async fn forget_nodes(connection: &mut PgConnection, (now, fence): &Given) -> Result<(), Fault> {
    leases::check(connection, fence.as_ref()).await?;
    sqlx::query(sql::FORGET_NODES).bind(rolling::heard_since(*now).0).execute(connection).await?;
    Ok(())
}

async fn set_mark(
    connection: &mut PgConnection,
    statement: &'static str,
    mark: WallTime,
) -> Result<(), Fault> {
    sqlx::query(statement).bind(mark.0).execute(connection).await?;
    Ok(())
}
