//! A database that a standby takes over which lagged behind: what was committed since is lost, and a new timeline begins.
//!
//! The standby is a copy of the files. What it lacks is all that was committed after it was made.

use super::{Cluster, DATABASE, LOOK};
use crate::{Postgres, poll::LONG_PATIENCE, poll_every};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

impl Cluster {
    /// Makes a standby that hears nothing from here on. The database is away for a moment.
    ///
    /// # Panics
    /// When its files cannot be copied.
    pub fn make_standby(&self) {
        self.postgres.stop_fast();
        let copy = copy_of(&self.postgres);
        run("cp", &["-a".as_ref(), self.postgres.data().as_ref(), copy.as_ref()]);
        self.postgres.start();
    }

    /// Kills the database and has the standby take over at its address.
    ///
    /// # Panics
    /// When there is no standby, or it does not take over.
    pub async fn promote_standby(&self) {
        let (data, copy) = (self.postgres.data(), copy_of(&self.postgres));
        self.postgres.kill();
        run("rm", &["-r".as_ref(), data.as_ref()]);
        run("mv", &[copy.as_ref(), data.as_ref()]);
        // The owner of the folder is Postgres' user, who must be able to remove it.
        let signal = data.join("standby.signal");
        run("cp", &["-p".as_ref(), data.join("PG_VERSION").as_ref(), signal.as_ref()]);
        self.postgres.start();
        let promoted = || async {
            let answer = self.postgres.try_sql(DATABASE, "SELECT pg_promote(true, 10)");
            answer.is_ok_and(|answer| answer.trim() == "t").then_some(())
        };
        poll_every(2 * LOOK, "a standby that takes over", LONG_PATIENCE, promoted).await;
    }
}

fn copy_of(postgres: &Postgres) -> PathBuf {
    let mut name = postgres.data().into_os_string();
    name.push("-standby");
    name.into()
}

fn run(program: &str, arguments: &[&Path]) {
    let ran = Command::new(program).args(arguments).status();
    assert!(ran.is_ok_and(|status| status.success()), "{program} {arguments:?} failed");
}
