//! Where everything is out, the client is told at once: why, and when to come back; and no provider is called.

use super::fixture::{Cluster, add, with_keys};
use crate::apis::Api;
use cliproxy_testkit::{
    Config,
    mock::{Behaviour, Hint, MockProvider, Rule},
};
use serde_json::json;

fn name(api: Api) -> String {
    format!("{api:?}").to_lowercase()
}

/// A cluster in which the providers of all APIs rest at both nodes: their first credential for 40 s, the second for
/// 60 s.
async fn all_rest() -> (Cluster, MockProvider) {
    let mock = with_keys(&["first", "second"]);
    let rest = |key: &str, seconds| {
        let hint = Hint { retry_after_s: Some(seconds), ..Hint::default() };
        Rule::new(Behaviour::rate_limit(hint)).for_key(key)
    };
    mock.set_rules(vec![rest("first", 40), rest("second", 60)]).unwrap();
    let config = Api::ALL
        .iter()
        .fold(Config::new(), |config, api| add(config, &name(*api), *api, &mock, &["first", "second"]));
    let config = add(config, "by-hand", Api::Chat, &mock, &["third"]);
    let config = config.alias("mixed", &[("chat", "m"), ("by-hand", "m")]);
    let cluster = Cluster::start(config).await;
    for api in Api::ALL {
        let answer = cluster.a.ask(api, &format!("{}/m", name(api))).await;
        assert_eq!(answer.status, 429, "{api:?}: {}", answer.text());
        assert_eq!(mock.totals().requests, 2, "each credential is tried once");
        // Gemini speaks of one model, so that the credentials rest for that alone.
        let of = if api == Api::Gemini { "/m" } else { "" };
        for credential in ["first", "second"] {
            cluster.rests(&format!("{}/{credential}{of}", name(api))).await;
        }
        mock.clear_log();
    }
    (cluster, mock)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_all_targets_rest_both_nodes_refuse_in_the_clients_dialect_and_call_nobody() {
    let (cluster, mock) = all_rest().await;
    for (api, stream) in Api::ALL.into_iter().flat_map(|api| [(api, false), (api, true)]) {
        for node in cluster.nodes() {
            let provider = name(api);
            let answer = node.ask_for(api, &format!("{provider}/m"), stream).await;
            assert_eq!(answer.status, 429, "{api:?}: only rate limits: {}", answer.text());
            let (_, message) = api.error(&answer.json());
            for credential in ["first", "second"] {
                let who = format!("{provider}/{credential} (cooldown: rate_limit, ");
                assert!(message.contains(&who), "{who} {message}");
            }
            let wait: u64 = answer.header("retry-after").parse().unwrap();
            assert!((10..=40).contains(&wait), "{api:?}: the soonest end: {wait}");
        }
    }

    cluster.say("by-hand", "cooldown", json!({"duration": "15s", "reason": "works"})).await;
    for node in cluster.nodes() {
        let answer = node.ask(Api::Chat, "mixed").await;
        assert_eq!(answer.status, 503, "not only rate limits: {}", answer.text());
        let (_, message) = Api::Chat.error(&answer.json());
        for why in ["chat/first (cooldown: rate_limit, ", "by-hand/third (cooldown: manual, "] {
            assert!(message.contains(why), "{message}");
        }
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=15).contains(&wait), "the least that is left: {wait}");
    }
    assert_eq!(mock.totals().requests, 0, "a provider was called");

    let explained = cluster.get("explain?model=mixed").await;
    let candidates = explained["decision"]["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 3, "{explained}");
    for candidate in candidates {
        assert_eq!(candidate["excluded"], "cooldown", "{candidate}");
        assert!(candidate["until"].is_string() && candidate["place"].is_null(), "{candidate}");
    }
}
