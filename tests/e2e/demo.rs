//! The demonstration shows what it promises.

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{Client, Launch, PATIENCE, Process, poll_until};
use std::time::Duration;

/// Providers go down ten seconds after the start, for ten seconds; a line comes every five.
const SHOW: Duration = Duration::from_secs(60);

/// Gives the first line of the output that `fits`, once it is there.
async fn line(demo: &Process, what: &str, limit: Duration, fits: impl Fn(&str) -> bool) -> String {
    poll_until(what, limit, || async { demo.stdout().into_iter().find(|line| fits(line)) }).await
}

/// Reads the number that follows `label` in a progress line.
fn number(line: &str, label: &str) -> Option<u64> {
    let rest = line.split_once(label)?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_serves_all_apis_survives_an_outage_and_ends_on_ctrl_c() {
    let mut demo = Launch::new(CLIPROXY, "demo").arg("--listen").arg("127.0.0.1:0").start();
    let curl = line(&demo, "command to try", PATIENCE, |line| line.contains("curl -N http://")).await;
    let address = curl.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let client = Client::new(address.parse().unwrap());
    let printed = demo.stdout().join("\n");
    for part in ["/v1/chat/completions", "/v1/messages", "/v1beta/models/smart:generateContent", "grpcurl"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    for api in Api::ALL {
        for stream in [false, true] {
            let (path, body) = api.request("smart", stream);
            let answer = client.post(&path, body).await;
            assert_eq!(answer.status, 200, "{api:?}: {}", answer.text());
        }
    }
    let asked: Vec<_> =
        printed.lines().filter_map(|line| line.split_once(&format!("http://{address}"))).collect();
    let operations =
        asked.iter().map(|(_, path)| path.trim_end_matches('\'')).filter(|path| path.starts_with("/v0/"));
    let mut answered = 0;
    for path in operations {
        let answer = client.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answered += 1;
    }
    assert_eq!(answered, 4, "{printed}");
    let saved = line(&demo, "request that failover saved", SHOW, |line| {
        number(line, "saved by failover ").is_some_and(|count| count > 0)
    })
    .await;
    assert_eq!(number(&saved, "failed "), Some(0), "{saved}");
    assert!(number(&saved, "requests ok ").unwrap() > 0, "{saved}");
    demo.signal("INT");
    assert_eq!(demo.wait_exit(PATIENCE).await.code(), Some(0), "{}", demo.stderr());
}
