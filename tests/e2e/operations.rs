//! What operators are told: over REST and gRPC alike, in metrics, in the log, and in the books.

mod answers;
mod log;
mod metrics;
mod reflection;

use crate::{CLIPROXY, apis::Api, books};
use cliproxy_testkit::{
    Client, Config, Launch, PATIENCE, Process,
    mock::{Behaviour, ErrorKind, MockProvider, Rule, Script},
    poll_until, provider,
};

/// A gateway that has served: eight good requests in all APIs, and one that its provider refused.
async fn that_has_served(config: Config) -> (Process, Client, MockProvider) {
    let rule = Rule::new(Behaviour::error(ErrorKind::BadRequest)).for_model("wrong");
    let mock = provider("up", Script { rules: vec![rule], ..Script::default() });
    let mut config = config;
    for api in Api::ALL {
        config = config.provider(api.kind(), api.kind(), &mock.base_url());
    }
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;
    for api in Api::ALL {
        for stream in [false, true] {
            let (path, body) = api.request(&format!("{}/m", api.kind()), stream);
            let answer = client.post(&path, body).await;
            assert_eq!(answer.status, 200, "{api:?}: {}", answer.text());
        }
    }
    let (path, body) = Api::Messages.request("anthropic/wrong", false);
    assert_eq!(client.post(&path, body).await.status, 400);
    (gateway, client, mock)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_has_what_the_provider_counted() {
    let (gateway, _, mock) = that_has_served(Config::new()).await;
    let truth = mock.wait_for(PATIENCE, |totals| totals.in_flight == 0).await.unwrap();
    let reported = || async {
        let usage = books::usage(&gateway, None).await;
        (usage.attempts.attempts() == 9).then_some(usage)
    };
    let usage = poll_until("usage of nine requests in the store", PATIENCE, reported).await;
    assert_eq!((usage.attempts.ok, usage.attempts.err_4xx), (8, 1));
    assert_eq!((usage.tokens.input, usage.tokens.output), (truth.input_tokens, truth.output_tokens));
    assert_eq!(usage.tokens.estimated, 0);
}
