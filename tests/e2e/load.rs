//! A steady load while a test does something to the gateway.

use crate::apis::Api;
use cliproxy_testkit::{
    Client, Config, PATIENCE,
    mock::{Behaviour, Latency, MockProvider, Rule},
    poll_until, provider,
};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// From one request to the next: about a hundred in a second.
const PAUSE: Duration = Duration::from_millis(10);
/// Requests at the same time at most. Where answers are late, the load waits.
const AT_ONCE: usize = 64;

/// The simulated providers behind a load, one of each kind and named after it.
pub struct Providers(pub Vec<(&'static str, MockProvider)>);

impl Providers {
    /// Starts them, answering a token every few milliseconds.
    pub fn start() -> Self {
        let latency = Latency { time_to_first_token_ms: 20, per_token_ms: 5, ..Latency::default() };
        let rule = Rule::new(Behaviour::Answer).latency(latency);
        Self(["openai", "anthropic", "gemini"].map(|kind| (kind, provider(kind, rule.clone()))).into())
    }

    /// Gives a configuration that has them all.
    pub fn config(&self) -> Config {
        let add = |config: Config, (kind, mock): &(&'static str, MockProvider)| {
            config.provider(kind, kind, &mock.base_url())
        };
        self.0.iter().fold(Config::new(), add)
    }
}

/// Requests that are being made until [`Load::stop`].
pub struct Load {
    answered: Arc<AtomicU64>,
    stop: CancellationToken,
    running: JoinHandle<Vec<String>>,
}

impl Load {
    /// Starts to ask by turns over all APIs, every other time for a stream.
    pub fn start(client: Client) -> Self {
        let (answered, stop) = (Arc::<AtomicU64>::default(), CancellationToken::new());
        let running = tokio::spawn(run(client, Arc::clone(&answered), stop.clone()));
        Self { answered, stop, running }
    }

    /// Waits until `more` further requests have ended, well or not.
    pub async fn goes_on(&self, more: u64) {
        let goal = self.answered.load(Ordering::SeqCst) + more;
        let reached = || async { (self.answered.load(Ordering::SeqCst) >= goal).then_some(()) };
        poll_until("further answers", PATIENCE, reached).await;
    }

    /// Ends it once every request has its answer. Gives the number of requests, and what went wrong.
    pub async fn stop(self) -> (u64, Vec<String>) {
        self.stop.cancel();
        let failures = self.running.await.expect("the load runs to its end");
        (self.answered.load(Ordering::SeqCst), failures)
    }
}

async fn run(client: Client, answered: Arc<AtomicU64>, stop: CancellationToken) -> Vec<String> {
    let mut ticks = tokio::time::interval(PAUSE);
    let mut open: VecDeque<JoinHandle<Result<(), String>>> = VecDeque::new();
    let mut failures = Vec::new();
    for turn in 0.. {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        if open.len() == AT_ONCE
            && let Some(oldest) = open.pop_front()
        {
            failures.extend(oldest.await.expect("a request does not panic").err());
        }
        let (client, answered) = (client.clone(), Arc::clone(&answered));
        open.push_back(tokio::spawn(async move {
            let outcome = ask(&client, Api::ALL[turn / 2 % 4], turn % 2 == 1).await;
            answered.fetch_add(1, Ordering::SeqCst);
            outcome
        }));
    }
    for request in open {
        failures.extend(request.await.expect("a request does not panic").err());
    }
    failures
}

/// Makes one request of the load; says what is wrong with its answer.
pub async fn ask(client: &Client, api: Api, stream: bool) -> Result<(), String> {
    let (path, body) = api.request(&format!("{}/model", api.kind()), stream);
    let failed = |what: String| format!("{api:?}, stream {stream}: {what}");
    let answer = client.json(&path, body).send().await.map_err(|error| failed(format!("{error:#}")))?;
    let text = String::from_utf8_lossy(&answer.body);
    if answer.status != 200 {
        return Err(failed(format!("{}: {text}", answer.status)));
    }
    let end = match api {
        _ if !stream => "}",
        Api::Chat => "data: [DONE]",
        Api::Responses => "response.completed",
        Api::Messages => "message_stop",
        Api::Gemini => "finishReason",
    };
    if text.contains(end) { Ok(()) } else { Err(failed(format!("it has no {end}: {text}"))) }
}
