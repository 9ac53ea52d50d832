//! A gateway with a configuration of the guide, in front of simulated providers.

use super::Block;
use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Answer, Client, Launch, PATIENCE, Process,
    mock::{MockProvider, Script},
    poll_until, provider,
};
use http::Method;
use serde_json::Value;
use std::collections::BTreeMap;

/// The providers that the guide speaks of, the variables that hold their keys, and a model of each.
const PROVIDERS: [(&str, &str, &str); 3] = [
    ("claude", "ANTHROPIC_API_KEY", "claude-sonnet-4-5"),
    ("openai", "OPENAI_API_KEY", "gpt-5"),
    ("gemini", "GEMINI_API_KEY", "gemini-2.5-pro"),
];
/// A name for a model of every provider that is configured.
pub const SMART: &str = "smart";

/// Simulated providers, one for each that the guide speaks of.
pub struct Providers(BTreeMap<&'static str, MockProvider>);

impl Providers {
    /// Starts them; all answer well.
    pub fn start() -> Self {
        Self(PROVIDERS.iter().map(|(name, ..)| (*name, provider(name, Script::default()))).collect())
    }

    /// Gives one of them.
    pub fn of(&self, name: &str) -> &MockProvider {
        &self.0[name]
    }

    /// Counts the calls to each.
    pub fn calls(&self, names: &[&str]) -> Vec<u64> {
        names.iter().map(|name| self.of(name).totals().requests).collect()
    }
}

/// A gateway.
pub struct Gateway {
    pub process: Process,
    pub client: Client,
}

/// Names the providers that a configuration has; where it names none, those whose variables are set, which are all.
pub fn named(yaml: &str) -> Vec<&'static str> {
    let has = |name: &str| yaml.lines().any(|line| line.trim_end() == format!("  {name}:"));
    let found: Vec<_> = PROVIDERS.iter().map(|(name, ..)| *name).filter(|name| has(name)).collect();
    if found.is_empty() { PROVIDERS.iter().map(|(name, ..)| *name).collect() } else { found }
}

/// Gives a model of a provider.
pub fn model(name: &str) -> &'static str {
    let found = PROVIDERS.iter().find(|(known, ..)| *known == name);
    found.map_or_else(|| panic!("the guide knows no {name}"), |(.., model)| model)
}

impl Gateway {
    /// Starts `cliproxy serve` with a file as it is in the guide. The addresses of providers and listeners, and what
    /// `over` says besides, come from the command line.
    pub async fn start(providers: &Providers, yaml: &str, over: &[&str]) -> Self {
        let mut launch = Launch::new(CLIPROXY, "serve").config(yaml);
        for (_, variable, _) in PROVIDERS {
            launch = launch.env(variable, "simulated");
        }
        let mut targets = Vec::new();
        for name in named(yaml) {
            let url = providers.of(name).base_url();
            launch = launch.arg("--set").arg(format!("providers.{name}.base_url={url}"));
            targets.push(format!("{{provider: {name}, model: {}}}", model(name)));
        }
        launch = launch.arg("--set").arg(format!("models.{SMART}.targets=[{}]", targets.join(", ")));
        for over in over {
            launch = launch.arg("--set").arg(*over);
        }
        let process = launch.ready().await;
        let client = process.client().await;
        let gateway = Self { process, client };
        gateway.connected().await;
        gateway
    }

    /// Waits until its data plane knows its control plane: from then on answers are the cluster's.
    async fn connected(&self) {
        let attempt = || async {
            let health = self.client.get("/health").await.json();
            (health["control_plane"] == "connected").then_some(())
        };
        poll_until("connected control plane", PATIENCE, attempt).await;
    }

    /// Asks a model for an answer, in the API of OpenAI's chat completions.
    pub async fn ask(&self, model: &str) -> Answer {
        let (path, body) = Api::Chat.request(model, false);
        self.client.post(&path, body).await
    }

    /// Asks so often, and expects an answer each time.
    pub async fn ask_times(&self, times: u32, model: &str) {
        for _ in 0..times {
            let answer = self.ask(model).await;
            assert_eq!(answer.status, 200, "{model}: {}", answer.text());
        }
    }

    /// Asks a provider for an answer.
    pub async fn ask_of(&self, provider: &str) -> Answer {
        self.ask(&format!("{provider}/{}", model(provider))).await
    }

    /// Asks a provider until it is not asked any more: an operator's word is on its way to the node. Gives the refusal.
    pub async fn until_refused(&self, provider: &str) -> Answer {
        let refused = || async { Some(self.ask_of(provider).await).filter(|answer| answer.status != 200) };
        poll_until("refusal", PATIENCE, refused).await
    }

    /// Asks a provider until it answers.
    pub async fn until_served(&self, provider: &str) {
        let served = || async { (self.ask_of(provider).await.status == 200).then_some(()) };
        poll_until("answer", PATIENCE, served).await;
    }

    /// Runs a block of the guide in a shell, where only host and port are this gateway's; gives the JSON that it
    /// prints.
    pub async fn run(&self, block: &Block) -> Value {
        assert_eq!(block.language, "bash");
        let text = block.text.replace("localhost:8317", &self.client.server().to_string());
        assert_ne!(text, block.text, "it asks another");
        let path = std::env::var("PATH").unwrap_or_default();
        let finished = Launch::new("bash", "-euc").arg(&text).env("PATH", &path).run().await;
        assert!(finished.status.success(), "{text}\n{}", finished.stderr);
        let answer: Value = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{text}\n{}", finished.stdout));
        assert!(answer.get("error").is_none(), "{answer}");
        assert_eq!(answer["source"], "cluster", "{answer}");
        answer
    }

    /// Makes an operator's call without a body; gives the cluster's answer.
    pub async fn call(&self, method: Method, path: &str) -> Value {
        let sent = self.client.request(method, path).send().await;
        let answer = sent.unwrap_or_else(|error| panic!("{path}: {error:#}"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// Asks below `/v0/operations` until the answer fits.
    pub async fn until(&self, path: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let attempt = || async {
            let answer = self.call(Method::GET, &format!("/v0/operations/{path}")).await;
            (answer["source"] == "cluster" && fits(&answer)).then_some(answer)
        };
        poll_until(what, PATIENCE, attempt).await
    }

    /// Gives what the audit log has of a provider: actions, the oldest first.
    pub async fn actions(&self, provider: &str) -> Vec<String> {
        let log = self.call(Method::GET, &format!("/v0/operations/audit?provider={provider}")).await;
        let entries = log["entries"].as_array().cloned().unwrap_or_default();
        entries.iter().rev().map(|entry| entry["action"].as_str().unwrap_or_default().to_owned()).collect()
    }
}
