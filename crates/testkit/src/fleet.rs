//! Many nodes in one process, as a control plane sees them: their sessions, their reports and their urgent events. They
//! serve nobody; what they hear is written down with its time.

mod node;
mod session;

use node::Node;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::AbortHandle};

/// What the nodes report.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Rows that each node reports a second, each of a key of its own; none for no reports.
    pub rows: usize,
}

/// The nodes. Dropping it ends them.
pub struct Fleet {
    nodes: Vec<(mpsc::Sender<String>, AbortHandle)>,
    book: Arc<Book>,
    endpoint: String,
    load: Load,
}

/// What the nodes write down.
#[derive(Default)]
pub(crate) struct Book {
    /// The nodes that heard of each rest, and when the last of them did.
    rests: Mutex<BTreeMap<String, (BTreeSet<usize>, Instant)>>,
    /// When each node's session was ready: it is known there, and has what it missed.
    ready: Mutex<BTreeMap<usize, Instant>>,
    /// Rows that were acknowledged.
    rows: AtomicU64,
    /// Why the last session ended that failed.
    trouble: Mutex<Option<String>>,
}

impl Book {
    fn broke(&self, why: String) {
        *locked(&self.trouble) = Some(why);
    }

    fn rested(&self, node: usize, key: &str, now: Instant) {
        let mut rests = locked(&self.rests);
        let (nodes, last) = rests.entry(key.to_owned()).or_insert_with(|| (BTreeSet::new(), now));
        if nodes.insert(node) {
            *last = now;
        }
    }

    fn is_ready(&self, node: usize, now: Instant) {
        locked(&self.ready).entry(node).or_insert(now);
    }

    fn is_gone(&self, node: usize) {
        locked(&self.ready).remove(&node);
    }
}

/// A panic of a node leaves what it wrote down whole: each entry is one insertion.
fn locked<T>(book: &Mutex<T>) -> MutexGuard<'_, T> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fleet {
    /// Starts `count` nodes that connect to the control plane at `address`, all at once.
    pub fn start(address: SocketAddr, count: usize, load: Load) -> Self {
        let mut fleet =
            Self { nodes: Vec::new(), book: Arc::default(), endpoint: format!("http://{address}"), load };
        fleet.grow(count);
        fleet
    }

    /// Adds nodes until there are `count`.
    pub fn grow(&mut self, count: usize) {
        for number in self.nodes.len()..count {
            let (trip, trips) = mpsc::channel(16);
            let node = Node::new(number, self.endpoint.clone(), self.load, Arc::clone(&self.book));
            let task = tokio::spawn(node.run(trips));
            self.nodes.push((trip, task.abort_handle()));
        }
    }

    /// Has a node say that a credential of the provider `up` was refused with 429 and a wait of a minute.
    ///
    /// # Panics
    /// When there is no such node, or it has ended.
    pub async fn trip(&self, node: usize, credential: &str) {
        let Some((trip, _)) = self.nodes.get(node) else { panic!("there is no node {node}") };
        if trip.send(credential.to_owned()).await.is_err() {
            panic!("node {node} has ended");
        }
    }

    /// Tells when the last of all nodes heard that a credential rests; none while one has not.
    pub fn all_heard(&self, credential: &str) -> Option<Instant> {
        let rests = locked(&self.book.rests);
        let (nodes, last) = rests.get(&format!("up/{credential}"))?;
        (nodes.len() == self.nodes.len()).then_some(*last)
    }

    /// Tells when the last node's session was ready; none while one is not.
    pub fn all_ready(&self) -> Option<Instant> {
        let ready = locked(&self.book.ready);
        (ready.len() == self.nodes.len()).then(|| ready.values().max().copied()).flatten()
    }

    /// Says how many sessions are ready, and why the last one ended that failed.
    pub fn state(&self) -> String {
        let ready = locked(&self.book.ready).len();
        format!("{ready} of {} nodes are ready; {:?}", self.nodes.len(), locked(&self.book.trouble))
    }

    /// Counts the rows that were acknowledged so far.
    pub fn rows_acknowledged(&self) -> u64 {
        self.book.rows.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.nodes.iter().for_each(|(_, task)| task.abort());
    }
}

/// How long a node waits before it connects anew, at most: it doubles from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
