//! Servers that are slow to connect to, and callers that wait less long than they take.

use super::*;
use cliproxy_testkit::{Gate, now, poll_until};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;

const SOON: Duration = Duration::from_secs(20);

/// Where the server of a URL is.
fn server(url: &str) -> SocketAddr {
    let place = url.split_once('@').and_then(|(_, rest)| rest.split_once('/'));
    place.unwrap().0.parse().unwrap()
}

/// A way to the server of tests that can be slowed down, and the URL of a database over it.
async fn gated(database: &ScratchDatabase) -> (Gate, String) {
    let url = database.url();
    let gate = Gate::start(server(&url)).await;
    let over = url.replace(&server(&url).to_string(), &gate.address().to_string());
    (gate, over)
}

#[tokio::test]
async fn a_server_that_takes_longer_to_connect_to_than_anyone_waits_is_reached_nevertheless() {
    let database = Postgres::shared().scratch_database(None);
    let (gate, url) = gated(&database).await;
    let settings = Settings { connections: 2, listen: false, ..Settings::default() };
    let store = PostgresStore::open_with(&url, settings).await.unwrap();
    // Some ten answers until a connection may be used.
    gate.delay(Duration::from_millis(300));
    gate.break_all();
    let first = store.history().await.unwrap_err().to_string();
    assert!(first.contains("no connection to Postgres"), "{first}");
    poll_until("connection", SOON, async || store.history().await.ok()).await;
}

#[tokio::test]
async fn an_attempt_that_leads_nowhere_keeps_nobody_from_another() {
    let database = Postgres::shared().scratch_database(None);
    let (gate, url) = gated(&database).await;
    let settings = Settings { listen: false, ..Settings::default() };
    let store = PostgresStore::open_with(&url, settings).await.unwrap();
    // As when the way leads to a machine that was lost, and to another later: what was begun is never answered.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    gate.lead_to(silent.local_addr().unwrap());
    gate.break_all();
    assert!(store.ping().await.is_err());
    gate.lead_to(server(&database.url()));
    let began = now();
    poll_until("connection", SOON, async || store.ping().await.ok()).await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn callers_that_give_up_cost_no_connection() {
    let opened = Opened::with(one_connection()).await;
    let backend = opened.backend().await;
    let mut holder = locks::session(&opened.database, "BEGIN; SELECT * FROM cp_meta FOR UPDATE").await;
    for _ in 0..3 {
        let change = opened.store.change(resting("main"));
        assert!(tokio::time::timeout(Duration::from_millis(50), change).await.is_err());
    }
    holder.execute("COMMIT").await.unwrap();
    opened.store.change(resting("other")).await.unwrap();
    assert_eq!(opened.backend().await, backend, "the connection was not left in the middle");
}

#[tokio::test]
async fn no_more_connections_are_open_than_may_be() {
    let database = Postgres::shared().scratch_database(None);
    let settings = Settings { connections: 3, listen: false, ..Settings::default() };
    let store = Arc::new(PostgresStore::open_with(&database.url(), settings).await.unwrap());
    let mut callers = Vec::new();
    for _ in 0..30 {
        let store = Arc::clone(&store);
        callers.push(tokio::spawn(async move { store.ping().await }));
    }
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let open: u32 = database.sql(open).parse().unwrap();
    assert!((1..=3).contains(&open), "{open}");
    store.close().await;
    assert!(store.ping().await.unwrap_err().to_string().contains("closed"));
}
