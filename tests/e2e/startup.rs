//! How soon a process answers.

use crate::CLIPROXY;
use cliproxy_testkit::{Client, Config, Launch, PATIENCE, now, poll_until};
use std::time::Duration;

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
