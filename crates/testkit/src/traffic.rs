//! Requests on a schedule while something is done to the gateway, and what became of each.
//!
//! The load is open: a request is sent when its time has come, whether earlier ones are answered or not, so that a stall
//! shows as many slow requests, not as one. It is bounded all the same: what would be too much at once is told as
//! [`End::Withheld`].

mod record;

pub use self::record::{Asked, End, Record};
use crate::{Client, now, poll::PATIENCE, poll_until};
use hyper_util::client::legacy;
use serde_json::json;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
};

/// Requests without an answer at most.
const AT_ONCE: usize = 512;

/// Whom to ask for what, and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The nodes by turns: their names, which begin the ids of the requests, and how to ask them.
    pub nodes: Vec<(String, Client)>,
    /// The model that is asked for.
    pub model: String,
    /// Requests a second.
    pub rate: u32,
    /// Asks the next node when one cannot be connected to, or says that it is not ready, as a load balancer does.
    pub goes_on: bool,
}

/// Requests that are made until [`Traffic::stop`].
#[derive(Debug)]
pub struct Traffic {
    asked: Arc<Mutex<Vec<Asked>>>,
    started: Instant,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Traffic {
    /// Starts to ask for answers and, every other time, streams.
    pub fn start(plan: Plan) -> Self {
        let (asked, stop, started) = (Arc::<Mutex<Vec<Asked>>>::default(), watch::Sender::new(false), now());
        let source = Arc::new(Source { plan, started, asked: Arc::clone(&asked) });
        let running = tokio::spawn(run(source, stop.subscribe()));
        Self { asked, started, stop, running }
    }

    /// Tells for how long it has been running: the time by which [`Asked`] are told.
    pub fn elapsed(&self) -> Duration {
        now() - self.started
    }

    /// Tells how many requests have ended, well or not.
    pub fn ended(&self) -> usize {
        lock(&self.asked).len()
    }

    /// Waits until so many more requests have ended, well or not.
    ///
    /// # Panics
    /// When they do not in time.
    pub async fn next(&self, more: usize) {
        let goal = self.ended() + more;
        let reached = || async { (self.ended() >= goal).then_some(()) };
        poll_until("further answers", PATIENCE, reached).await;
    }

    /// Goes on for so long.
    pub async fn goes_on(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Gives what has ended so far.
    pub fn so_far(&self) -> Record {
        Record::new(lock(&self.asked).clone())
    }

    /// Ends it once every request has ended, and gives them all.
    ///
    /// # Panics
    /// When a request's task panicked.
    pub async fn stop(self) -> Record {
        self.stop.send_replace(true);
        if let Err(error) = self.running.await {
            panic!("the traffic ended early: {error}");
        }
        let asked = std::mem::take(&mut *lock(&self.asked));
        Record::new(asked)
    }
}

#[derive(Debug)]
struct Source {
    plan: Plan,
    started: Instant,
    asked: Arc<Mutex<Vec<Asked>>>,
}

fn lock(asked: &Mutex<Vec<Asked>>) -> MutexGuard<'_, Vec<Asked>> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(source: Arc<Source>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / source.plan.rate.max(1));
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut open = JoinSet::new();
    for number in 0.. {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            _ = ticks.tick() => {}
        }
        while open.try_join_next().is_some() {}
        let source = Arc::clone(&source);
        match Arc::clone(&room).try_acquire_owned() {
            Ok(permit) => drop(open.spawn(async move {
                source.ask(number).await;
                drop(permit);
            })),
            Err(_) => source.tell(number, source.node(number), now(), End::Withheld),
        }
    }
    while open.join_next().await.is_some() {}
}

impl Source {
    fn node(&self, number: usize) -> usize {
        number % self.plan.nodes.len()
    }

    /// Makes one request, and notes what became of it.
    async fn ask(&self, number: usize) {
        let began = now();
        let nodes = &self.plan.nodes;
        let tries = if self.plan.goes_on { nodes.len() } else { 1 };
        for turn in 0..tries {
            let node = (self.node(number) + turn) % nodes.len();
            let end = self.ask_node(node, number).await;
            if turn + 1 == tries || !end.is_not_ready() {
                return self.tell(number, node, began, end);
            }
        }
    }

    async fn ask_node(&self, node: usize, number: usize) -> End {
        let (name, client) = &self.plan.nodes[node];
        // Every node's own share of them is streams, however many nodes there are.
        let stream = (number / self.plan.nodes.len()).is_multiple_of(2);
        let mut body = json!({"model": self.plan.model, "messages": [{"role": "user", "content": "hi"}]});
        if stream {
            body["stream"] = true.into();
            body["stream_options"] = json!({"include_usage": true});
        }
        let call = client.json("/v1/chat/completions", body.to_string());
        let sent = call.header("x-request-id", format!("{name}-{number}")).open().await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) if is_unreachable(&error) => return End::Unreachable(format!("{error:#}")),
            Err(error) => return End::Broken(format!("{error:#}")),
        };
        let status = answer.status;
        match answer.whole().await {
            Ok(answer) if status == 200 && stream && !answer.text().contains("data: [DONE]") => {
                End::Broken(format!("a stream without its end: {}", answer.text()))
            }
            Ok(_) if status == 200 => End::Answered,
            Ok(answer) => End::Refused(status, answer.text().to_owned()),
            Err(error) => End::Broken(format!("{error:#}")),
        }
    }

    fn tell(&self, number: usize, node: usize, began: Instant, end: End) {
        let node = self.plan.nodes[node].0.clone();
        let (at, took) = (began - self.started, now() - began);
        lock(&self.asked).push(Asked { number, node, at, took, end });
    }
}

/// Tells whether nothing of a request was sent, as there was no connection.
fn is_unreachable(error: &anyhow::Error) -> bool {
    error.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect)
}
