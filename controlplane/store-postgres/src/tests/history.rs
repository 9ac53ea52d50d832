//! Servers that take over from others, and the name of the history.

use super::*;
use cliproxy_domain::HintVersion;
use cliproxy_testkit::poll_until;
use std::process::Command;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn another_server_begins_a_new_history_once() {
    let opened = Opened::new().await;
    let first = opened.store.history().await.unwrap();
    assert_eq!(opened.replica().await.history().await.unwrap(), first);
    // As it is when a standby has taken over that the row came from by replication.
    opened.database.sql("UPDATE cp_meta SET server = '7000000000000000000/1'");
    let replica = opened.replica().await;
    let second = replica.history().await.unwrap();
    assert_ne!(second, first);
    assert_eq!(opened.replica().await.history().await.unwrap(), second);
    assert_eq!(opened.store.history().await.unwrap(), second, "who is connected hears of it too");
}

/// A cluster whose files can be set aside and put back, as a standby is a copy of them.
struct Machine(Postgres);

impl Machine {
    fn set_aside(&self, name: &str) {
        self.0.stop_fast();
        run("cp", &["-a".to_owned(), self.data(""), self.data(name)]);
        self.0.start();
    }

    /// Ends the server and starts what was set aside, in its place.
    fn switch_to(&self, name: &str, keep_as: &str) {
        self.0.kill();
        run("mv", &[self.data(""), self.data(keep_as)]);
        run("mv", &[self.data(name), self.data("")]);
        self.0.start();
    }

    fn data(&self, name: &str) -> String {
        format!("{}{name}", self.0.data().display())
    }
}

fn run(program: &str, arguments: &[impl AsRef<std::ffi::OsStr>]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program}");
}

#[tokio::test]
async fn a_standby_that_took_over_begins_a_new_history_and_the_former_primary_is_refused() {
    let machine = Machine(Postgres::launch());
    let store = PostgresStore::open(&machine.0.create_database("gateway", None)).await.unwrap();
    let first = store.history().await.unwrap();
    store.change(resting("main")).await.unwrap();
    machine.set_aside("-standby");
    let lost = poll_until("restarted server", SOON, async || store.change(resting("lost")).await.ok()).await;
    assert_eq!(lost[0].version, HintVersion(2));

    run(
        "cp",
        &["-p".to_owned(), machine.data("-standby/PG_VERSION"), machine.data("-standby/standby.signal")],
    );
    machine.switch_to("-standby", "-former");
    let refused = store.ping().await.unwrap_err().to_string();
    assert!(refused.contains("it is a standby"), "{refused}");
    machine.0.sql("postgres", "SELECT pg_promote(true, 20)");
    let second = poll_until("server that took over", SOON, async || store.history().await.ok()).await;
    assert_ne!(second, first);
    assert_eq!(store.hints().await.unwrap().0, HintVersion(1), "the last change is lost");
    let again = store.change(resting("other")).await.unwrap();
    assert_eq!(again[0].version, HintVersion(2));

    machine.switch_to("-former", "-new");
    let refused = store.ping().await.unwrap_err().to_string();
    assert!(refused.contains("former primary"), "{refused}");
    machine.switch_to("-new", "-former");
    store.ping().await.unwrap();
    assert_eq!(store.history().await.unwrap(), second);
}
