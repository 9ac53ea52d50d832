//! The vendors' own SDKs, each through the gateway on a provider of each kind. What they do stands in
//! `tests/clients/*.py`; here are a gateway and a strict simulated provider for each pair.

mod node;

use cliproxy_testkit::{Config, Launch, Process, mock::Script, poll_until, provider};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// A kind of provider, and the models that it has.
struct Kind {
    name: &'static str,
    model: &'static str,
    /// Of a provider of its own with a single key, which encrypted thoughts are bound to.
    thinking_model: &'static str,
    /// Empty where there are none.
    embed_model: &'static str,
}

const OPENAI: Kind = Kind {
    name: "openai",
    model: "gpt-5",
    thinking_model: "gpt-5-mini",
    embed_model: "text-embedding-3-small",
};
const ANTHROPIC: Kind = Kind {
    name: "anthropic",
    model: "claude-sonnet-4-5",
    thinking_model: "claude-opus-4-8",
    embed_model: "",
};
const GEMINI: Kind = Kind {
    name: "gemini",
    model: "gemini-3-pro",
    thinking_model: "gemini-2.5-pro",
    embed_model: "gemini-embedding-001",
};
const COMPATIBLE: Kind = Kind {
    name: "openai_compatible",
    model: "llama-4",
    thinking_model: "qwen-4",
    embed_model: "nomic-embed-text",
};

/// Keys of each provider. The error cases have the gateway rest those that a provider refused: up to three for
/// each request, and a case needs one that does not rest.
const CREDENTIALS: usize = 200;
/// Requests whose bodies the simulated provider keeps for the cases to look at; more than a case makes.
const BODIES: usize = 100;
/// What the SDKs send as their key.
const KEY: &str = "cpk_of-the-sdk-tests";
/// Clients with the keys `cpk_<name>-is-limited`, and their SHA-256.
const LIMITED: [(&str, &str); 3] = [
    ("openai", "fa7e11c5865eb8af8064a749db6edbbecfb1367d273e58c7cade921e43e1b564"),
    ("anthropic", "8559220d7d3161aeebeb29219a54641b6c0763f4aabf9fbeb0a46bf1a0440d14"),
    ("google", "48aeccb07fe313023e48b0b95d1ff6f30b90cc37c5fcc5bc18be25fdbe4e80f7"),
];
/// For all cases of a pair.
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test]
async fn the_openai_sdk_chats_with_an_openai_provider() {
    run("openai_chat.py", &OPENAI).await;
}

#[tokio::test]
async fn the_openai_sdk_chats_with_an_anthropic_provider() {
    run("openai_chat.py", &ANTHROPIC).await;
}

#[tokio::test]
async fn the_openai_sdk_chats_with_a_gemini_provider() {
    run("openai_chat.py", &GEMINI).await;
}

#[tokio::test]
async fn the_openai_sdk_chats_with_a_compatible_provider() {
    run("openai_chat.py", &COMPATIBLE).await;
}

#[tokio::test]
async fn the_openai_sdk_gets_responses_of_an_openai_provider() {
    run("openai_responses.py", &OPENAI).await;
}

#[tokio::test]
async fn the_openai_sdk_gets_responses_of_an_anthropic_provider() {
    run("openai_responses.py", &ANTHROPIC).await;
}

#[tokio::test]
async fn the_openai_sdk_gets_responses_of_a_gemini_provider() {
    run("openai_responses.py", &GEMINI).await;
}

#[tokio::test]
async fn the_openai_sdk_gets_responses_of_a_compatible_provider() {
    run("openai_responses.py", &COMPATIBLE).await;
}

#[tokio::test]
async fn the_anthropic_sdk_gets_messages_of_an_openai_provider() {
    run("anthropic_messages.py", &OPENAI).await;
}

#[tokio::test]
async fn the_anthropic_sdk_gets_messages_of_an_anthropic_provider() {
    run("anthropic_messages.py", &ANTHROPIC).await;
}

#[tokio::test]
async fn the_anthropic_sdk_gets_messages_of_a_gemini_provider() {
    run("anthropic_messages.py", &GEMINI).await;
}

#[tokio::test]
async fn the_anthropic_sdk_gets_messages_of_a_compatible_provider() {
    run("anthropic_messages.py", &COMPATIBLE).await;
}

#[tokio::test]
async fn the_google_sdk_gets_content_of_an_openai_provider() {
    run("google_genai.py", &OPENAI).await;
}

#[tokio::test]
async fn the_google_sdk_gets_content_of_an_anthropic_provider() {
    run("google_genai.py", &ANTHROPIC).await;
}

#[tokio::test]
async fn the_google_sdk_gets_content_of_a_gemini_provider() {
    run("google_genai.py", &GEMINI).await;
}

#[tokio::test]
async fn the_google_sdk_gets_content_of_a_compatible_provider() {
    run("google_genai.py", &COMPATIBLE).await;
}

/// A client of the gateway with a key, on every SDK: what the key opens, and how each tells of one that opens nothing.
#[tokio::test]
async fn the_sdks_present_keys_that_the_gateway_knows() {
    let mock = provider("mock", Script { strict: true, ..Script::default() });
    let hash = "5369a168119858705e05dc5219ef53eccc75a4dfcbd5f15ed3c222054772d4a7";
    let mut clients = vec![json!({
        "name": "ci",
        "keys": [{"sha256": hash}],
        "models": [ANTHROPIC.model],
        "rate_limit": {"requests_per_minute": 1_000},
    })];
    // One for each SDK, which is refused the second time.
    clients.extend(LIMITED.map(|(name, hash)| {
        let (keys, rate) = (json!([{"sha256": hash}]), json!({"requests_per_minute": 1}));
        json!({"name": name, "keys": keys, "models": [ANTHROPIC.model], "rate_limit": rate})
    }));
    let config = configured(&ANTHROPIC, &mock.base_url()).set(&["clients"], clients);
    let gateway = Launch::new(crate::CLIPROXY, "serve").config(config).ready().await;
    let cases = scripted("keys.py", &ANTHROPIC, &gateway, &mock.base_url()).await;
    assert_eq!(cases, 11);
}

async fn run(script: &str, kind: &Kind) {
    let mock = provider("mock", Script { strict: true, keep_bodies: BODIES, ..Script::default() });
    let gateway = gateway(kind, &mock.base_url()).await;
    let cases = scripted(script, kind, &gateway, &mock.base_url()).await;
    assert!(cases >= 14, "only {cases} cases");
}

/// Runs a script against a gateway in front of the simulated provider; gives the number of its cases.
async fn scripted(script: &str, kind: &Kind, gateway: &Process, mock: &str) -> usize {
    let mut sdk = Launch::new(&python().to_string_lossy(), "-u")
        .arg(scripts().join(script).to_string_lossy())
        // Nothing is written beside the scripts.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("GATEWAY", &format!("http://{}", gateway.address().await))
        .env("GATEWAY_KEY", KEY)
        .env("MOCK_URL", mock)
        .env("KIND", kind.name)
        .env("MODEL", kind.model)
        .env("THINKING_MODEL", kind.thinking_model)
        .env("EMBED_MODEL", kind.embed_model)
        .start();
    passed(&mut sdk).await
}

/// Waits for a script's end and gives the number of its cases, which have all passed.
async fn passed(script: &mut Process) -> usize {
    let status = script.wait_exit(PATIENCE).await;
    assert!(status.success(), "{status}:\n{}\n{}", script.stdout().join("\n"), script.stderr());
    // Its last lines may be on their way still.
    let all = || async { script.stdout().into_iter().find(|line| line.starts_with("all ")) };
    let last = poll_until("count of the cases", Duration::from_secs(5), all).await;
    last.split(' ').nth(1).and_then(|count| count.parse().ok()).expect("a count")
}

/// Starts a gateway in front of the simulated provider, which it knows under two names. Errors that the cases ask for
/// do not add up to a rest of the whole provider: how an SDK tells each of them is the subject.
async fn gateway(kind: &Kind, provider: &str) -> Process {
    Launch::new(crate::CLIPROXY, "serve").config(configured(kind, provider)).ready().await
}

fn configured(kind: &Kind, provider: &str) -> Config {
    let names: Vec<(String, String)> =
        (0..CREDENTIALS).map(|n| (format!("key-{n}"), format!("sk-upstream-{n}"))).collect();
    let credentials: Vec<(&str, &str)> = names.iter().map(|(name, key)| (&**name, &**key)).collect();
    let models: Vec<&str> =
        [kind.model, kind.embed_model].into_iter().filter(|name| !name.is_empty()).collect();
    Config::new()
        .set(&["server", "operations", "cooldown", "error_threshold"], 1_000)
        .provider("vendor", kind.name, provider)
        .credentials("vendor", &credentials)
        .set(&["providers", "vendor", "models"], models)
        .provider("thinker", kind.name, provider)
        .set(&["providers", "thinker", "models"], vec![kind.thinking_model])
}

/// Finds the interpreter that has the SDKs.
pub fn python() -> PathBuf {
    let python = install_folder("clients").join("bin/python");
    assert!(python.exists(), "{} is missing; ./test installs the SDKs there", python.display());
    python
}

/// Finds the folder where `./test` installs the Node SDKs and the agents; none where it wrote down that it could not.
pub fn installed_by_npm() -> Option<PathBuf> {
    let folder = install_folder("agents");
    if let Ok(reason) = std::fs::read_to_string(folder.join("unavailable")) {
        println!("NOT RUN: npm could not install what this test needs: {reason}");
        return None;
    }
    let done = folder.join("installed.json");
    assert!(done.exists(), "{} is missing; ./test installs the agents there", done.display());
    Some(folder)
}

/// Gives the folder of this name in the target folder, where `./test` installs programs.
fn install_folder(name: &str) -> PathBuf {
    let target =
        Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is a folder in the target folder");
    target.join(name)
}

/// Gives the folder of the scripts that tests run.
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}
