//! The vendors' Node SDKs, and the AI SDK with its tool loop: each client API on a provider of each kind. What they do
//! stands in `tests/clients/node.mjs`.

use super::{ANTHROPIC, BODIES, COMPATIBLE, GEMINI, OPENAI, gateway, installed_by_npm, passed, scripts};
use cliproxy_testkit::{Launch, mock::Script, provider};

#[tokio::test]
async fn node_sdks_chat_with_every_provider() {
    run("chat").await;
}

#[tokio::test]
async fn node_sdks_get_responses_of_every_provider() {
    run("responses").await;
}

#[tokio::test]
async fn node_sdks_get_messages_of_every_provider() {
    run("anthropic").await;
}

#[tokio::test]
async fn node_sdks_get_content_of_every_provider() {
    run("gemini").await;
}

async fn run(api: &str) {
    let Some(packages) = installed_by_npm() else { return };
    for kind in [OPENAI, ANTHROPIC, GEMINI, COMPATIBLE] {
        // Shown when the script fails.
        println!("{api} on {}", kind.name);
        let mock = provider("mock", Script { strict: true, keep_bodies: BODIES, ..Script::default() });
        let gateway = gateway(&kind, &mock.base_url()).await;
        let mut script = Launch::new("/usr/bin/env", "node")
            .arg(scripts().join("node.mjs").to_string_lossy())
            .env("PATH", &std::env::var("PATH").expect("there is a PATH"))
            .env("AGENTS", &packages.to_string_lossy())
            .env("API", api)
            .env("GATEWAY", &format!("http://{}", gateway.address().await))
            .env("MOCK_URL", &mock.base_url())
            .env("MODEL", kind.model)
            .start();
        assert_eq!(passed(&mut script).await, 4, "cases of {api} on {}", kind.name);
    }
}
