//! Clients that send so slowly that they hold a place for ever.

use super::{Setting, a_good_request_is_answered, setting};
use crate::apis::Api;
use cliproxy_testkit::{PATIENCE, Raw, now};
use std::time::Duration;

/// The limit that the setting gives to heads, and to each piece of a body.
const LIMIT: Duration = Duration::from_secs(1);
/// A drop comes this often.
const DRIP: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_drips_is_cut_off_at_its_deadline() {
    let setting = setting().await;
    let Setting { gateway, client, .. } = &setting;
    let mut raw = Raw::connect(gateway.address().await).await;
    let begun = now();
    raw.send("POST /v1/messages HTTP/1.1\r\nhost: h\r\n").await.unwrap();
    let others = a_good_request_is_answered(client);
    let dripping = async {
        // Each drop is progress, but the whole head has one deadline.
        while raw.send("x-drip: 1\r\n").await.is_ok() && now() < begun + 10 * LIMIT {
            tokio::time::sleep(DRIP).await;
        }
        raw
    };
    let ((), raw) = tokio::join!(others, dripping);
    let took = now() - begun;
    assert!((LIMIT..5 * LIMIT).contains(&took), "it took {took:?}");
    let answer = raw.finish(PATIENCE).await;
    assert!(matches!(answer.status, 0 | 408), "{}", answer.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_is_closed_at_the_deadline_of_a_head() {
    let setting = setting().await;
    let Setting { gateway, .. } = &setting;
    let begun = now();
    let raw = Raw::connect(gateway.address().await).await;
    let answer = raw.finish(PATIENCE).await;
    let took = now() - begun;
    assert!(matches!(answer.status, 0 | 408), "{}", answer.head);
    assert!((LIMIT..5 * LIMIT).contains(&took), "it took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_is_408_in_the_clients_dialect() {
    let setting = setting().await;
    let Setting { gateway, client, mock } = &setting;
    let address = gateway.address().await;
    let stopped = Api::ALL.map(|api| async move {
        let (path, body) = api.request("smart-model", false);
        let mut raw = Raw::connect(address).await;
        let begun = now();
        let head = format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n", body.len());
        raw.send(head + &body[..10]).await.unwrap();
        let answer = raw.finish(PATIENCE).await;
        let took = now() - begun;
        assert_eq!(answer.status, 408, "{api:?}: {}", answer.head);
        assert!((LIMIT..5 * LIMIT).contains(&took), "{api:?}: it took {took:?}");
        assert_eq!(answer.header("connection"), "close", "{api:?}");
        api.error(&serde_json::from_slice(&answer.body).unwrap());
    });
    let ((), _) = tokio::join!(a_good_request_is_answered(client), futures_util::future::join_all(stopped));
    assert_eq!(mock.totals().requests, 4, "only the good ones");
}
