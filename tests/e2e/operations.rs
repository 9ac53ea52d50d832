//! What operators are told.

use crate::{CLIPROXY, apis::Api, books};
use cliproxy_testkit::{Config, Launch, PATIENCE, mock::Script, poll_until, provider};

#[tokio::test(flavor = "multi_thread")]
async fn the_store_has_what_the_provider_counted() {
    let mock = provider("up", Script::default());
    let mut config = Config::new();
    for api in Api::ALL {
        config = config.provider(api.kind(), api.kind(), &mock.base_url());
    }
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;
    for (index, api) in Api::ALL.into_iter().enumerate() {
        for stream in [false, true] {
            let (path, body) = api.request(&format!("{}/m{index}", api.kind()), stream);
            let answer = client.post(&path, body).await;
            assert_eq!(answer.status, 200, "{api:?}: {}", answer.text());
        }
    }
    let truth = mock.wait_for(PATIENCE, |totals| totals.completed == 8).await.unwrap();
    let reported = || async {
        let usage = books::usage(&gateway, None).await;
        (usage.attempts.ok == 8).then_some(usage)
    };
    let usage = poll_until("usage of eight requests in the store", PATIENCE, reported).await;
    assert_eq!((usage.tokens.input, usage.tokens.output), (truth.input_tokens, truth.output_tokens));
    assert_eq!(usage.tokens.estimated, 0);
}
