//! Steady requests to one node while a test does something to the cluster.

use super::fixture::Node;
use crate::apis::Api;
use cliproxy_testkit::{Answer, Client, PATIENCE, poll_until};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Requests that wait for an answer at the same time at most.
const AT_ONCE: usize = 64;

/// What an answer was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// The status; 0 when no answer came.
    pub status: u16,
    /// Who answered, or was asked last.
    pub provider: String,
    /// The body of what is not 200.
    pub error: String,
}

/// Requests that are made until [`Traffic::stop`].
pub struct Traffic {
    got: Arc<Mutex<Vec<Got>>>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Traffic {
    /// Starts to ask `node` for `model` each time that `every` has passed, whether answers came or not.
    pub fn start(node: &Node, api: Api, model: &str, every: Duration) -> Self {
        let (got, stop) = (Arc::<Mutex<Vec<Got>>>::default(), CancellationToken::new());
        let source = Source {
            client: node.client.clone(),
            name: node.name,
            of: NEXT.fetch_add(1, Ordering::Relaxed),
            request: api.request(model, false),
        };
        let running = tokio::spawn(run(source, every, Arc::clone(&got), stop.clone()));
        Self { got, stop, running }
    }

    /// Gives the answers so far.
    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for so many more answers, and gives these.
    pub async fn next(&self, count: usize) -> Vec<Got> {
        let before = self.got().len();
        let further = || async {
            let got = self.got();
            (got.len() >= before + count).then(|| got[before..].to_vec())
        };
        poll_until("further answers", PATIENCE, further).await
    }

    /// Ends it once every request has its answer, and gives all answers.
    pub async fn stop(self) -> Vec<Got> {
        let Self { got, stop, running } = self;
        stop.cancel();
        running.await.expect("traffic runs to its end");
        let mut got = got.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut got)
    }
}

/// Tells apart the ids of several sources at one node.
static NEXT: AtomicU64 = AtomicU64::new(0);

#[derive(Clone)]
struct Source {
    client: Client,
    name: &'static str,
    of: u64,
    request: (String, String),
}

async fn run(source: Source, every: Duration, got: Arc<Mutex<Vec<Got>>>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut open = JoinSet::new();
    for turn in 0.. {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        while open.len() >= AT_ONCE {
            open.join_next().await;
        }
        let (source, got) = (source.clone(), Arc::clone(&got));
        open.spawn(async move {
            let (path, body) = source.request.clone();
            let id = format!("{}-t{}-{turn}", source.name, source.of);
            let answer = source.client.json(&path, body).header("x-request-id", id).send().await;
            got.lock().unwrap_or_else(PoisonError::into_inner).push(Got::from(answer));
        });
    }
    open.join_all().await;
}

impl From<anyhow::Result<Answer>> for Got {
    fn from(answer: anyhow::Result<Answer>) -> Self {
        match answer {
            Ok(answer) => Self::from(&answer),
            Err(error) => Self { status: 0, provider: String::new(), error: format!("{error:#}") },
        }
    }
}

impl From<&Answer> for Got {
    fn from(answer: &Answer) -> Self {
        let error = if answer.status == 200 { String::new() } else { answer.text().to_owned() };
        Self { status: answer.status, provider: answer.header("x-cliproxy-provider").to_owned(), error }
    }
}

/// Counts good answers by who gave them.
pub fn shares<'a>(got: impl IntoIterator<Item = &'a Got>) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for one in got {
        assert_eq!(one.status, 200, "{}", one.error);
        *shares.entry(one.provider.clone()).or_default() += 1;
    }
    shares
}

/// Sends `count` requests for `model` to one node over several connections, and gives the answers.
pub async fn burst(node: &Node, api: Api, model: &str, count: usize) -> Vec<Got> {
    use futures_util::{StreamExt as _, stream};
    let one = |_| async { Got::from(&node.ask(api, model).await) };
    stream::iter(0..count).map(one).buffer_unordered(16).collect().await
}
