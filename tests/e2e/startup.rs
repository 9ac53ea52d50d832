//! How soon a process answers, and what it waits for before.

use crate::CLIPROXY;
use cliproxy_testkit::{Client, Config, Launch, PATIENCE, Postgres, Process, now, poll_until};
use serde_json::Value;
use std::{net::SocketAddr, time::Duration};

const STARTS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn both_planes_answer_soon_after_their_start() {
    let config = Config::new().provider("openai", "openai", "http://127.0.0.1:9");
    let mut gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let server = gateway.address().await;
    let mut best = Duration::MAX;
    for _ in 0..STARTS {
        gateway.terminate();
        assert!(gateway.wait_exit(PATIENCE).await.success());
        gateway.restart();
        // A new one each time: a connection that was kept would be a dead one.
        let client = Client::new(server);
        let healthy = || async {
            let answer = client.request(http::Method::GET, "/health").send().await.ok()?;
            (answer.status == 200).then_some(())
        };
        poll_until("answer of /health", PATIENCE, healthy).await;
        best = best.min(now() - gateway.started());
        gateway.ready().await;
    }
    println!("from exec to the answer of /health, best of {STARTS}: {} ms", best.as_millis());
    assert!(best <= Duration::from_secs(5), "{best:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_configured_while_it_was_away_answers_by_that_from_its_first_answer_on() {
    let config = |start: usize| {
        let target = format!("m-{start}");
        Config::new()
            .provider("openai", "openai", "http://127.0.0.1:9")
            .alias("smart", &[("openai", &target)])
    };
    let mut gateway = Launch::new(CLIPROXY, "serve").config(config(0)).ready().await;
    let server = gateway.address().await;
    for start in 1..=STARTS {
        gateway.terminate();
        assert!(gateway.wait_exit(PATIENCE).await.success());
        gateway.write_config(config(start));
        gateway.restart();
        let client = Client::new(server);
        let first = || async {
            let answer = client.request(http::Method::GET, "/v1/models").send().await.ok()?;
            (answer.status == 200).then(|| answer.header("x-cliproxy-config").to_owned())
        };
        let config = poll_until("list of models", PATIENCE, first).await;
        assert_eq!(config, (start + 1).to_string());
        gateway.ready().await;
    }
}

/// A control plane on the database of a URL.
fn on_database(url: &str) -> Launch {
    let config =
        "control_plane: {database: {url: '${DATABASE_URL}'}}\nproviders: {openai: {api_key: '${KEY}'}}\n";
    Launch::new(CLIPROXY, "controlplane").config(config).env("DATABASE_URL", url).env("KEY", "k")
}

/// Waits until a control plane says that it waits, and gives a client of its operators' port.
async fn waits(plane: &Process) -> Client {
    let says = |line: &Value, what: &str| line["msg"].as_str().is_some_and(|said| said.starts_with(what));
    let opened =
        plane.wait_for_line("word of the database", PATIENCE, |line| says(line, "the database is opened"));
    let operators: SocketAddr = opened.await["operators"].as_str().unwrap().parse().unwrap();
    let waits = plane.wait_for_line("wait", PATIENCE, |line| says(line, "waiting for the database"));
    assert!(waits.await["place"].as_str().unwrap().contains("database gateway"));
    Client::new(operators)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_waits_for_its_database_and_says_so_and_ends_at_once_when_it_is_told_to() {
    let postgres = Postgres::launch();
    let url = postgres.create_database("gateway", None);
    postgres.stop_fast();
    let mut plane = on_database(&url).start();
    let client = waits(&plane).await;
    let get = async |path: &str| client.request(http::Method::GET, path).send().await.unwrap();
    assert_eq!(get("/health").await.status, 200);
    let ready = get("/ready").await;
    assert_eq!((ready.status, &ready.json()["reason"]), (503, &"the database is waited for".into()));
    assert_eq!(get("/v0/operations/nodes").await.status, 503);
    plane.terminate();
    let told = now();
    assert!(plane.wait_exit(PATIENCE).await.success());
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());

    plane.restart();
    waits(&plane).await;
    postgres.start();
    plane.ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_its_database_refuses_ends_and_says_why() {
    let postgres = Postgres::launch();
    let url = postgres.create_database("gateway", None);
    let (_, place) = url.split_once('@').unwrap();
    let wrong = format!("postgres://postgres:very-secret@{place}");
    for (url, why) in [(wrong, "password authentication failed"), (postgres.url("missing"), "does not exist")]
    {
        let ended = on_database(&url).run().await;
        assert!(!ended.status.success());
        assert!(ended.stderr.contains(why) && !ended.stderr.contains("very-secret"), "{}", ended.stderr);
    }
}
