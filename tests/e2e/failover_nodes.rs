//! Nodes that stand in for each other, as processes of their own.

mod leases;
mod pairs;
mod peers;
mod sessions;

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{Answer, Client, Config, Launch, PATIENCE, Process, poll_until};
use serde_json::Value;
use std::net::TcpListener;

/// Gives loopback addresses that are free now: nodes have to know each other's before they start.
fn addresses<const N: usize>() -> [String; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.each_ref().map(|listener| listener.local_addr().expect("an address").to_string())
}

/// Prepares a node of that name at an address, which knows itself by it.
fn node(name: &str, address: &str, config: &Config) -> Launch {
    Launch::new(CLIPROXY, "dataplane")
        .arg("--node-name")
        .arg(name)
        .set("server.listen", address)
        .set("server.advertise_url", format!("http://{address}"))
        .config(config)
}

/// Asks for an answer in one piece.
async fn ask(client: &Client, model: &str) -> Answer {
    let (path, body) = Api::Chat.request(model, false);
    client.post(&path, body).await
}

/// Tells whether a node says that it should be sent requests; none when it does not answer.
async fn is_active(client: &Client) -> Option<bool> {
    let request = client.request(http::Method::GET, "/health?role=active");
    let answer = request.send().await.ok()?;
    let role = answer.json()["role"].as_str().map(str::to_owned);
    let expected = if answer.status == 200 { "active" } else { "passive" };
    assert_eq!(role.as_deref(), Some(expected), "{}", answer.text());
    Some(answer.status == 200)
}

/// Waits until a node says that it should be sent requests, or that it should not.
async fn becomes(what: &str, client: &Client, active: bool) {
    let attempt = || async { (is_active(client).await == Some(active)).then_some(()) };
    poll_until(what, PATIENCE, attempt).await;
}

/// Waits until what a node says of the others fits.
async fn sees(what: &str, client: &Client, fits: impl Fn(&Value) -> bool) -> Value {
    let attempt = || async {
        let answer = client.request(http::Method::GET, "/v0/operations/failover").send().await.ok()?;
        Some(answer.json()).filter(|shown| fits(shown))
    };
    poll_until(what, PATIENCE, attempt).await
}

/// Waits until a process is ready again after a restart.
async fn back(process: &mut Process) {
    process.restart();
    process.ready().await;
}

/// Gives the value of one series of `/metrics`.
async fn metric(client: &Client, series: &str) -> u64 {
    let answer = client.get("/metrics").await;
    let line = answer.text().lines().find_map(|line| line.strip_prefix(series).map(str::to_owned));
    line.map_or(0, |value| value.trim().parse().expect("a number"))
}
