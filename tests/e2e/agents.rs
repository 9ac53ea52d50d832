//! Real coding agents, headless, through the gateway: each is given a task in a scratch folder, the simulated model has
//! it run a command, gets the result, and ends with a text. How an agent is started stands in `tests/clients/*.sh`.

use crate::clients::{installed_by_npm, scripts};
use cliproxy_testkit::{
    Config, Launch, Process,
    mock::{Behaviour, Call, Entry, MockProvider, Reply, Rule, Script},
    poll_until, provider,
};
use serde_json::json;
use std::{path::Path, time::Duration};

/// An agent, and the tool by which it runs commands.
struct Agent {
    script: &'static str,
    /// The model that it asks for. It drops thoughts of an answer that names another one.
    model: &'static str,
    tool: &'static str,
    /// The argument that holds the command.
    command: &'static str,
}

const CLAUDE_CODE: Agent =
    Agent { script: "claude-code.sh", model: "claude-sonnet-4-5", tool: "Bash", command: "command" };
const CODEX: Agent = Agent { script: "codex.sh", model: "gpt-5", tool: "exec_command", command: "cmd" };

/// For a whole run; it takes a second where nothing else runs.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the model has the agent run, and what that prints.
const COMMAND: &str = "echo made by an agent > made.txt && echo printed-by-the-command";
const PRINTED: &str = "printed-by-the-command";
const THOUGHT: &str = "A file is wanted.";
const LAST_WORDS: &str = "The file is there.";

#[tokio::test]
async fn claude_code_completes_a_task_on_an_anthropic_provider() {
    completes(&CLAUDE_CODE, "anthropic", "claude-sonnet-4-5").await;
}

#[tokio::test]
async fn claude_code_completes_a_task_on_an_openai_provider() {
    completes(&CLAUDE_CODE, "openai", "gpt-5").await;
}

#[tokio::test]
async fn claude_code_completes_a_task_on_an_openai_compatible_provider() {
    completes(&CLAUDE_CODE, "openai_compatible", "llama-4").await;
}

#[tokio::test]
async fn claude_code_completes_a_task_on_a_gemini_provider() {
    completes(&CLAUDE_CODE, "gemini", "gemini-3-pro").await;
}

#[tokio::test]
async fn codex_completes_a_task_on_an_openai_provider() {
    completes(&CODEX, "openai", "gpt-5").await;
}

#[tokio::test]
async fn codex_completes_a_task_on_an_anthropic_provider() {
    completes(&CODEX, "anthropic", "claude-sonnet-4-5").await;
}

#[tokio::test]
async fn codex_completes_a_task_on_an_openai_compatible_provider() {
    completes(&CODEX, "openai_compatible", "llama-4").await;
}

#[tokio::test]
async fn codex_completes_a_task_on_a_gemini_provider() {
    completes(&CODEX, "gemini", "gemini-3-pro").await;
}

async fn completes(agent: &Agent, kind: &str, model: &str) {
    let Some(agents) = installed_by_npm() else { return };
    let mock = provider("mock", agent.scripted_model());
    let config = Config::new()
        .provider("vendor", kind, &mock.base_url())
        .set(&["providers", "vendor", "models"], json!([model]))
        .alias(agent.model, &[("vendor", model)])
        // Agents declare tools of their own vendor with every request.
        .set(&["translation", "unsupported_tools"], "drop");
    let gateway = Launch::new(crate::CLIPROXY, "serve").config(config).ready().await;

    let mut run = agent.start(&agents, &gateway).await;
    let status = run.wait_exit(PATIENCE).await;
    let told = || format!("{}\n{}\n{}", run.stdout().join("\n"), run.stderr(), received(&mock));
    assert!(status.success(), "{status}\n{}", told());
    let made = std::fs::read_to_string(run.folder().join("made.txt"));
    assert_eq!(made.unwrap_or_else(|error| panic!("no file: {error}\n{}", told())), "made by an agent\n");
    let said = || async { run.stdout().iter().any(|line| line.contains(LAST_WORDS)).then_some(()) };
    poll_until("last words", Duration::from_secs(5), said).await;

    let entries = mock.log().entries;
    let refused = entries.iter().find(|entry| entry.status != 200);
    assert!(refused.is_none(), "the provider refused a request\n{}", told());
    let with_result = entries.iter().filter(|entry| body(entry).contains(PRINTED)).count();
    assert_eq!(with_result, 1, "one request brings the command's result\n{}", told());
}

impl Agent {
    /// Plays a model that has a command run, and speaks when it has the result; it takes only what the real API takes.
    fn scripted_model(&self) -> Script {
        let arguments = json!({self.command: COMMAND});
        let reply = Reply {
            thinking: Some(THOUGHT.into()),
            calls: vec![Call { name: Some(self.tool.into()), arguments: Some(arguments) }],
            text: Some(LAST_WORDS.into()),
            ..Reply::default()
        };
        let rules = vec![Rule::new(Behaviour::Answer).reply(reply)];
        Script { strict: true, keep_bodies: 20, rules, ..Script::default() }
    }

    async fn start(&self, agents: &Path, gateway: &Process) -> Process {
        Launch::new("/bin/sh", "-e")
            .arg(scripts().join(self.script).to_string_lossy())
            .arg("Write the file made.txt.")
            .env("PATH", &std::env::var("PATH").expect("there is a PATH"))
            .env("AGENTS", &agents.to_string_lossy())
            .env("GATEWAY", &format!("http://{}", gateway.address().await))
            .env("GATEWAY_KEY", "sk-of-the-agent")
            .env("MODEL", self.model)
            .start()
    }
}

fn body(entry: &Entry) -> String {
    String::from_utf8_lossy(entry.body.as_deref().unwrap_or_default()).into_owned()
}

/// Shows what the provider was asked, for a test that fails.
fn received(mock: &MockProvider) -> String {
    let line = |entry: &Entry| format!("{} -> {}: {}", entry.path, entry.status, body(entry));
    mock.log().entries.iter().map(line).collect::<Vec<_>>().join("\n")
}
