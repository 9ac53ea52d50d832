//! A database for one test.

use super::{Postgres, SUPERUSER};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// A database with a name of its own. Dropping it removes it, whoever is connected.
#[derive(Debug)]
pub struct ScratchDatabase {
    postgres: Arc<Postgres>,
    name: String,
}

impl ScratchDatabase {
    pub(super) fn make(postgres: Arc<Postgres>, template: Option<&str>) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("scratch_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        postgres.create_database(&name, template);
        Self { postgres, name }
    }

    /// Gives its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives its URL.
    pub fn url(&self) -> String {
        self.postgres.url(&self.name)
    }

    /// Runs SQL in it; see [`Postgres::sql`].
    ///
    /// # Panics
    /// When it fails.
    pub fn sql(&self, sql: &str) -> String {
        self.postgres.sql(&self.name, sql)
    }
}

impl Drop for ScratchDatabase {
    fn drop(&mut self) {
        // A cluster that is down goes away as a whole.
        let _ = self.postgres.try_sql(SUPERUSER, &format!(r#"DROP DATABASE "{}" WITH (FORCE)"#, self.name));
    }
}
