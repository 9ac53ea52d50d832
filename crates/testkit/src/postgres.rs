//! A scratch Postgres cluster from the system's package: on a free loopback port, in a folder of its own, gone afterwards.
//!
//! Its processes belong to an unprivileged user, as Postgres refuses to run as root. Nothing of a cluster that the
//! system runs itself is touched.

mod cluster;
mod place;
mod scratch;

pub use self::scratch::ScratchDatabase;

use self::cluster::Cluster;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// The environment variable with the URL of a cluster that tests share; any database of it will do.
pub const SHARED: &str = "CLIPROXY_TEST_POSTGRES";

/// The user and the first database of each cluster.
const SUPERUSER: &str = "postgres";

/// A running cluster. Dropping it ends its processes and removes its folder, also when the process is killed that
/// started it.
#[derive(Debug)]
pub struct Postgres {
    /// None for one that another process started.
    cluster: Option<Cluster>,
    /// Up to the name of the database.
    base_url: String,
    binaries: PathBuf,
}

impl Postgres {
    /// Starts a cluster that does not wait for the disk: what it committed survives a killed process, not a power cut.
    ///
    /// # Panics
    /// When Postgres is not installed or does not start.
    pub fn launch() -> Self {
        Self::launch_with(&[])
    }

    /// Starts a cluster with these settings beside and above ours, as `("fsync", "on")`.
    ///
    /// # Panics
    /// When Postgres is not installed or does not start.
    pub fn launch_with(settings: &[(&str, &str)]) -> Self {
        let binaries = place::binaries();
        let cluster = Cluster::make(&binaries, settings);
        let base_url = format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}", cluster.password, cluster.port);
        Self { cluster: Some(cluster), base_url, binaries }
    }

    /// Gives the cluster that [`SHARED`] names, or one that all tests of this process share.
    ///
    /// # Panics
    /// When the variable holds no URL of a cluster, or when none can be started.
    pub fn shared() -> Arc<Self> {
        static OWN: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        if let Ok(url) = std::env::var(SHARED) {
            return Arc::new(Self::at(&url));
        }
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        own.upgrade().unwrap_or_else(|| {
            let started = Arc::new(Self::launch());
            *own = Arc::downgrade(&started);
            started
        })
    }

    /// Takes a cluster that another process started.
    fn at(url: &str) -> Self {
        match url.rsplit_once('/') {
            Some((base, _)) if url.starts_with("postgres://") => {
                Self { cluster: None, base_url: base.to_owned(), binaries: place::binaries() }
            }
            _ => panic!("{SHARED} is no URL such as postgres://user:password@127.0.0.1:5432/postgres"),
        }
    }

    /// Gives the URL of a database, with the password of the cluster's superuser.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base_url)
    }

    /// Gives the port that it listens on, on 127.0.0.1.
    ///
    /// # Panics
    /// For a cluster of another process.
    pub fn port(&self) -> u16 {
        self.own().port
    }

    /// Gives the folder of its data.
    ///
    /// # Panics
    /// For a cluster of another process.
    pub fn data(&self) -> PathBuf {
        self.own().data()
    }

    /// Makes a database and gives its URL; of a template when one is named.
    ///
    /// # Panics
    /// When it is there already, or cannot be made.
    pub fn create_database(&self, name: &str, template: Option<&str>) -> String {
        let template = template.unwrap_or("template1");
        self.sql(SUPERUSER, &format!(r#"CREATE DATABASE "{name}" TEMPLATE "{template}""#));
        self.url(name)
    }

    /// Makes a database with a name of its own that goes away with what is returned.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn scratch_database(self: &Arc<Self>, template: Option<&str>) -> ScratchDatabase {
        ScratchDatabase::make(Arc::clone(self), template)
    }

    /// Runs SQL in a database, and gives what it answers: a line for each row, `|` between columns.
    ///
    /// # Panics
    /// When it fails.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        match self.try_sql(database, sql) {
            Ok(answer) => answer,
            Err(error) => panic!("{sql} failed in {database}: {error}"),
        }
    }

    /// Runs SQL in a database, and gives what it answers, or why it failed.
    ///
    /// # Errors
    /// What Postgres says.
    pub fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let answer = Command::new(self.binaries.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .arg("--dbname")
            .arg(self.url(database))
            .args(["--command", sql])
            .output()
            .map_err(|error| format!("psql could not be run: {error}"))?;
        if answer.status.success() {
            Ok(String::from_utf8_lossy(&answer.stdout).trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&answer.stderr).trim_end().to_owned())
        }
    }

    /// Gives the process id of the postmaster.
    ///
    /// # Panics
    /// When it does not run, and for a cluster of another process.
    pub fn pid(&self) -> u32 {
        self.own().pid()
    }

    /// Ends it without waiting for anyone (`pg_ctl stop -m immediate`): it recovers at the next start.
    ///
    /// # Panics
    /// When it does not end, and for a cluster of another process.
    pub fn stop_immediate(&self) {
        self.own().stop("immediate");
    }

    /// Ends it in order, breaking its connections (`pg_ctl stop -m fast`).
    ///
    /// # Panics
    /// When it does not end, and for a cluster of another process.
    pub fn stop_fast(&self) {
        self.own().stop("fast");
    }

    /// Kills the postmaster and all its processes (SIGKILL), in whatever they are.
    ///
    /// # Panics
    /// When it does not run, and for a cluster of another process.
    pub fn kill(&self) {
        self.own().kill();
    }

    /// Starts it again after [`Postgres::stop_immediate`] or [`Postgres::kill`], on the same port, and waits until it
    /// takes connections.
    ///
    /// # Panics
    /// When it does not, and for a cluster of another process.
    pub fn start(&self) {
        self.own().start();
    }

    fn own(&self) -> &Cluster {
        match &self.cluster {
            Some(cluster) => cluster,
            None => panic!("this cluster is another process's; launch one for this test"),
        }
    }
}

/// Gives the last lines of a log, for a message.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests;
