//! Which failures are tried again, where, and which are not.

use super::{gateway, smart, with_keys};
use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Config, Launch, Samples,
    mock::{Behaviour, ErrorKind, Rule},
    provider,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_400_is_the_clients_own_and_is_not_tried_again() {
    let fault = || Behaviour::error(ErrorKind::BadRequest);
    let (one, two) = (provider("one", fault()), provider("two", fault()));
    let (_gateway, client) = gateway(&[("one", &one), ("two", &two)], Config::new()).await;
    for api in Api::ALL {
        for stream in [false, true] {
            let calls = one.totals().requests + two.totals().requests;
            let (path, body) = api.request(&smart(api), stream);
            let answer = client.post(&path, body).await;
            assert_eq!(answer.status, 400, "{api:?}: {}", answer.text());
            api.error(&answer.json());
            assert_eq!(answer.header("x-cliproxy-attempts"), "1");
            assert_eq!(one.totals().requests + two.totals().requests, calls + 1, "{api:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_sends_the_request_to_the_providers_other_key() {
    let mock = with_keys(&["good"]);
    for api in Api::ALL {
        let config = Config::new()
            .provider("up", api.kind(), &mock.base_url())
            .credentials("up", &[("revoked", "sk-revoked"), ("good", "sk-good")]);
        let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
        let client = gateway.client().await;
        for turn in 0..6 {
            let (path, body) = api.request("up/m", turn % 2 == 0);
            let answer = client.post(&path, body).await;
            assert_eq!(answer.status, 200, "{api:?} {turn}: {}", answer.text());
        }
        let metrics = Samples::parse(client.get("/metrics").await.text());
        let refused = metrics.sum("cliproxy_attempts_total", &[("outcome", "credential_rejected")]);
        assert!((1.0..=6.0).contains(&refused), "{api:?}: {refused}");
        assert_eq!(metrics.sum("cliproxy_attempts_total", &[("outcome", "success")]), 6.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_alone_that_fails_once_is_asked_again_after_a_pause() {
    for api in Api::ALL {
        // A gateway of its own for each API: two requests with two failures each are one failure short of a rest.
        let mock = provider("up", Behaviour::Answer);
        let (gateway, client) = gateway(&[("up", &mock)], Config::new()).await;
        for stream in [false, true] {
            mock.clear_log();
            mock.set(Rule::new(Behaviour::error(ErrorKind::ServerError)).times(2)).unwrap();
            let (path, body) = api.request(&smart(api), stream);
            let answer = client.post(&path, body).await;
            assert_eq!(answer.status, 200, "{api:?}: {}", answer.text());
            assert_eq!(answer.header("x-cliproxy-attempts"), "3");
            assert_eq!(mock.totals().requests, 3);
        }
        drop(gateway);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_every_time_reaches_the_client_after_the_allowed_attempts() {
    let mock = provider("up", Behaviour::error(ErrorKind::ServerError));
    let config = Config::new().set(&["server", "retries", "max_attempts"], 2);
    let (_gateway, client) = gateway(&[("up", &mock)], config).await;
    for api in Api::ALL {
        let calls = mock.totals().requests;
        let (path, body) = api.request(&smart(api), true);
        let answer = client.post(&path, body).await;
        assert_eq!(answer.status, 500, "{api:?}: {}", answer.text());
        api.error(&answer.json());
        assert_eq!(answer.header("x-cliproxy-attempts"), "2");
        assert_eq!(answer.header("x-cliproxy-provider"), format!("{}-up", api.kind()));
        assert_eq!(mock.totals().requests, calls + 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_cannot_be_reached_is_told_in_the_clients_dialect() {
    let gone = provider("gone", Behaviour::Answer);
    let (_gateway, client) = gateway(&[("up", &gone)], Config::new()).await;
    gone.stop().await;
    for api in Api::ALL {
        let (path, body) = api.request(&smart(api), false);
        let answer = client.post(&path, body).await;
        assert_eq!(answer.status, 502, "{api:?}: {}", answer.text());
        let (_, message) = api.error(&answer.json());
        assert!(message.contains("no connection to the provider"), "{message}");
        assert!(!message.contains("127.0.0.1"), "the upstream's address is nobody's business: {message}");
    }
}
