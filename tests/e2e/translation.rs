//! Clients and providers of different kinds, where more than one pair is involved: conversations that go from vendor
//! to vendor, failover across kinds, and what the configuration says about losses and abilities.

mod conversation;

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Client, Config, Launch, Process,
    mock::{Behaviour, Call, ErrorKind, MockProvider, Reply, Rule, Script},
    provider,
};
use conversation::Conversation;
use serde_json::{Value, json};

/// A provider of each kind with a model; each has one key, which encrypted reasoning is bound to.
const VENDORS: [(&str, &str); 4] = [
    ("openai", "gpt-5"),
    ("anthropic", "claude-sonnet-4-5"),
    ("gemini", "gemini-3-pro"),
    ("openai_compatible", "llama-4"),
];
const LAST_WORDS: &str = "It is cold.";

/// A strict provider that thinks, calls the tool twice at once, and speaks when it has the results.
fn calling() -> MockProvider {
    let call = |city: &str| Call { name: None, arguments: Some(json!({"city": city})) };
    let reply = Reply {
        thinking: Some("I must look.".into()),
        calls: vec![call("Oslo"), call("Bergen")],
        text: Some(LAST_WORDS.into()),
        ..Reply::default()
    };
    provider(
        "up",
        Script { strict: true, rules: vec![Rule::new(Behaviour::Answer).reply(reply)], ..Script::default() },
    )
}

async fn serve(config: Config) -> (Process, Client) {
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;
    (gateway, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_goes_from_vendor_to_vendor_in_the_middle_of_its_calls() {
    let mock = calling();
    let config =
        VENDORS.iter().fold(Config::new(), |config, (kind, _)| config.provider(kind, kind, &mock.base_url()));
    let (_gateway, client) = serve(config).await;
    for api in Api::ALL {
        for (first, first_model) in VENDORS {
            for (second, second_model) in VENDORS {
                let route = format!("{api:?}: {first} then {second}");
                println!("{route}");
                let mut conversation = Conversation::new(api, "What is the weather?");
                let called = conversation.ask(&client, &format!("{first}/{first_model}")).await;
                assert_eq!(called.calls(), 2, "{route}");
                // Here the second vendor takes over what the first one thought and called.
                conversation.results(&called, "-3");
                let said = conversation.ask(&client, &format!("{second}/{second_model}")).await;
                assert_eq!((said.calls(), said.text.as_str()), (0, LAST_WORDS), "{route}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_any_api_is_served_by_the_kind_that_is_up() {
    let down = provider("down", Behaviour::error(ErrorKind::ServerError));
    for (up_kind, up_model) in VENDORS {
        let up = calling();
        let mut config = Config::new().provider("up", up_kind, &up.base_url());
        let mut targets = vec![("up", up_model)];
        // A request is tried three times.
        for (kind, model) in VENDORS.into_iter().filter(|(kind, _)| *kind != up_kind).take(2) {
            config = config.provider(kind, kind, &down.base_url());
            targets.push((kind, model));
        }
        let (_gateway, client) = serve(config.alias("smart", &targets)).await;
        for turn in 0..16 {
            let (api, stream) = (Api::ALL[turn % 4], turn / 4 % 2 == 1);
            let (path, body) = api.request("smart", stream);
            let answer = client.post(&path, body).await;
            assert_eq!(answer.status, 200, "{api:?} on {up_kind}: {}", answer.text());
            assert_eq!(answer.header("x-cliproxy-provider"), "up", "{api:?} on {up_kind}");
            let words = LAST_WORDS.split(' ').all(|word| answer.text().contains(word));
            assert!(words, "{api:?} on {up_kind}: {}", answer.text());
        }
    }
    assert!(down.totals().requests > 0, "targets that are down were tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_where_losses_are_refused() {
    let mock = calling();
    let body = r#"{"model":"claude-sonnet-4-5","seed":7,"messages":[{"role":"user","content":"hi"}]}"#;
    for (on_loss, status) in [("warn", 200), ("refuse", 400)] {
        let config = Config::new()
            .provider("anthropic", "anthropic", &mock.base_url())
            .set(&["translation", "on_loss"], on_loss);
        let (_gateway, client) = serve(config).await;
        let asked = mock.totals().requests;
        let answer = client.post("/v1/chat/completions", body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        if status == 200 {
            assert_eq!(answer.header("x-cliproxy-warnings"), "seed=dropped");
        } else {
            let error = answer.json();
            assert_eq!(error["error"]["param"], "seed", "{error}");
            assert_eq!(mock.totals().requests, asked, "it is refused before anything is sent");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_goes_to_a_model_that_can_see() {
    let (blind, seeing) = (calling(), calling());
    let traits = json!([{"models": ["*"], "images": false}]);
    let config = Config::new()
        .provider("blind", "openai_compatible", &blind.base_url())
        .set(&["providers", "blind", "model_traits"], traits)
        .provider("seeing", "gemini", &seeing.base_url())
        .alias("smart", &[("blind", "llama-4"), ("seeing", "gemini-3-pro")]);
    let (_gateway, client) = serve(config).await;
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}});
    let ask = |content: Value| {
        json!({"model": "smart", "messages": [{"role": "user", "content": content}]}).to_string()
    };
    for _ in 0..6 {
        let answer = client.post("/v1/chat/completions", ask(json!([image]))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-cliproxy-provider"), "seeing");
        let answer = client.post("/v1/chat/completions", ask("hi".into())).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(blind.log().of_model("llama-4").errors, 0);
    let alone = ask(json!([image])).replace("smart", "blind/llama-4");
    let refused = client.post("/v1/chat/completions", alone).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("image"), "{}", refused.text());
}
