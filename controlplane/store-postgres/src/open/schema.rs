//! The steps of the schema.

use super::Opening;
use crate::{fault::Fault, place::Place};
use cliproxy_store::StoreError;
use sqlx::{
    SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{borrow::Cow, time::Duration};
use tokio::time::timeout;

/// A step of the schema: number, subject, SQL.
type Step = (i64, &'static str, &'static str);

pub(crate) const MIGRATIONS: &[Step] = &[
    (1, "meta", include_str!("../../../../migrations/postgres/0001_meta.sql")),
    (2, "config", include_str!("../../../../migrations/postgres/0002_config.sql")),
    (3, "hints", include_str!("../../../../migrations/postgres/0003_hints.sql")),
    (4, "usage", include_str!("../../../../migrations/postgres/0004_usage.sql")),
    (5, "hint", include_str!("../../../../migrations/postgres/0005_hint.sql")),
    (6, "event_evidence", include_str!("../../../../migrations/postgres/0006_event_evidence.sql")),
    (7, "stream_usage", include_str!("../../../../migrations/postgres/0007_stream_usage.sql")),
    (8, "audit", include_str!("../../../../migrations/postgres/0008_audit.sql")),
    (9, "check", include_str!("../../../../migrations/postgres/0009_check.sql")),
    (10, "request_record", include_str!("../../../../migrations/postgres/0010_request_record.sql")),
    (11, "lease", include_str!("../../../../migrations/postgres/0011_lease.sql")),
    (12, "post", include_str!("../../../../migrations/postgres/0012_post.sql")),
    (13, "config_text", include_str!("../../../../migrations/postgres/0013_config_text.sql")),
    (14, "usage_periods", include_str!("../../../../migrations/postgres/0014_usage_periods.sql")),
    (15, "usage_client", include_str!("../../../../migrations/postgres/0015_usage_client.sql")),
    (16, "quota", include_str!("../../../../migrations/postgres/0016_quota.sql")),
];

/// How long it may take, waiting for another replica that does it included.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the steps that the database has not seen. Of replicas that start at once, one does it and the others wait: the
/// migrator holds an advisory lock, which goes with its connection.
pub(super) async fn bring_up_to_date(options: &PgConnectOptions, place: &Place) -> Result<(), Opening> {
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options.clone());
    let steps = MIGRATIONS.iter().map(|&(version, subject, sql)| {
        Migration::new(version, Cow::Borrowed(subject), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let migrator = Migrator::with_migrations(steps.collect());
    let Ok(done) = timeout(PATIENCE, migrator.run(&pool)).await else {
        return Err(Opening::Refused(StoreError::Unavailable(format!(
            "{place}: its schema was not up to date within {PATIENCE:?}; see whether another control plane that is \
             starting hangs"
        ))));
    };
    pool.close().await;
    done.map_err(of_migration)
}

fn newest_step() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

fn of_migration(error: MigrateError) -> Opening {
    let error = match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            return Opening::of(error, |error| Fault::from(error).into());
        }
        MigrateError::VersionMissing(step) => StoreError::Unavailable(format!(
            "the database has schema step {step}, this program knows them up to {}; run a newer cliproxy, or restore \
             a copy from before the upgrade",
            newest_step()
        )),
        MigrateError::VersionMismatch(step) => {
            StoreError::Corrupt(format!("schema step {step} of the database is not the one of this program"))
        }
        other => StoreError::Unavailable(other.to_string()),
    };
    Opening::Refused(error)
}
