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
