//! The steady traffic of one node.

use anyhow::Context;
use cliproxy_testkit::Client;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, oneshot},
    task::JoinHandle,
};

/// Requests without an answer at most; while there are so many, the load waits.
const OUTSTANDING: usize = 128;

/// Requests on a schedule, for the name of the trial that runs.
pub(super) struct Load {
    trial: Arc<AtomicU32>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<u64>,
}

impl Load {
    /// Starts to ask.
    pub(super) fn start(client: Client, per_second: u32) -> Self {
        let (trial, (stop, stopped)) = (Arc::<AtomicU32>::default(), oneshot::channel());
        let running =
            tokio::spawn(run(client, Duration::from_secs(1) / per_second, Arc::clone(&trial), stopped));
        Self { trial, stop, running }
    }

    /// From now on asks for what is tried in this trial.
    pub(super) fn turn_to(&self, number: u32) {
        self.trial.store(number, Relaxed);
    }

    /// Ends it once every request has its answer, and gives how many were not answered well.
    pub(super) async fn stop(self) -> anyhow::Result<u64> {
        // Its end would have been noticed.
        let _ = self.stop.send(());
        self.running.await.context("the load ended early")
    }
}

async fn run(
    client: Client,
    every: Duration,
    trial: Arc<AtomicU32>,
    mut stopped: oneshot::Receiver<()>,
) -> u64 {
    let (failed, room) = (Arc::<AtomicU64>::default(), Arc::new(Semaphore::new(OUTSTANDING)));
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            _ = ticks.tick() => {}
        }
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
        let (client, failed) = (client.clone(), Arc::clone(&failed));
        let number = trial.load(Relaxed);
        tokio::spawn(async move {
            let answer = client
                .json("/v1/chat/completions", super::trial::request(&format!("t{number}")))
                .send()
                .await;
            if !answer.is_ok_and(|answer| answer.status == 200) {
                failed.fetch_add(1, Relaxed);
            }
            drop(permit);
        });
    }
    // All of them back: nobody asks any more.
    let _ = room.acquire_many(u32::try_from(OUTSTANDING).unwrap_or(u32::MAX)).await;
    failed.load(Relaxed)
}
