//! Following what other replicas commit and say.

use super::{
    Replicas,
    peers::{Order, Peers, Sender},
};
use crate::state::{Heard, evidence};
use cliproxy_domain::{HistoryId, ReplicaId};
use cliproxy_proto::convert::replica::{Post, from_bytes};
use cliproxy_store::{Post as Posted, StoreError};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How often is looked without the doorbell ringing.
const EVERY: Duration = Duration::from_secs(1);
/// How long the store may take for one look.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many posts are read at a time; each may have 1 MiB.
const PAGE: u32 = 16;
/// How many posts of before the start tell whether there are others.
const BEFORE: u64 = 32;
/// How long it takes at most until all others have said which nodes they have, be it that some are gone.
const SETTLE: Duration = Duration::from_millis(1_200);
/// How long hints that are never stored hold without being said again: three times as long as it takes to say them.
const UNSAID: Duration = Duration::from_secs(15);
/// Whoever waited so long for what a node holds has claimed again since.
const STALE: Duration = Duration::from_secs(2);
/// A break between two looks that is longer than this is one in which others may not have been heard.
const BREAK: Duration = Duration::from_secs(2);

/// Where this replica is in what the others say.
struct Follow<'a> {
    replicas: &'a Replicas,
    peers: Peers,
    /// The number of the last post that was read; `None` before the first look.
    read: Option<u64>,
    /// Until then it is waited for the others to say what nodes they have.
    settles: Option<Instant>,
    /// Who may be there and has not said it yet.
    awaited: BTreeSet<ReplicaId>,
    /// When the store last told all that there was to tell.
    told: Instant,
    /// Since when it has done so without a break.
    unbroken: Instant,
}

/// Follows until `end`.
pub(super) async fn run(replicas: &Replicas, end: &CancellationToken) {
    let Some(mut bell) = replicas.state.store.doorbell() else { return };
    let told = replicas.state.clock.now();
    let (peers, awaited) = (Peers::default(), BTreeSet::new());
    let mut follow = Follow { replicas, peers, read: None, settles: None, awaited, told, unbroken: told };
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut hears = true;
    loop {
        let ticked = tokio::select! {
            biased;
            () = end.cancelled() => return,
            // Before the bell, which may ring all the time.
            _ = tick.tick() => true,
            rung = bell.changed(), if hears => {
                // A bell without a ringer rings for ever.
                hears = rung.is_ok();
                false
            }
            () = tokio::time::sleep(follow.settles_in().unwrap_or(EVERY)) => false,
        };
        let late = || Err(StoreError::Unavailable("no answer within 5 s".to_owned()));
        let look = tokio::select! {
            biased;
            () = end.cancelled() => return,
            look = tokio::time::timeout(PATIENCE, follow.look(ticked)) => look.unwrap_or_else(|_| late()),
        };
        follow.after(look);
    }
}

impl Follow<'_> {
    /// Reads what is new, the log first: it keeps requests away from what rests.
    async fn look(&mut self, ticked: bool) -> Result<(), StoreError> {
        let state = &self.replicas.state;
        if ticked {
            state.calendar.follow(&*state.store).await?;
            let history = state.store.history().await?;
            if history != state.history() {
                self.go_on_in(history).await?;
            }
        }
        self.replicas.log.follow().await?;
        self.read_posts().await
    }

    /// Takes stock after a look at the store.
    fn after(&mut self, look: Result<(), StoreError>) {
        let Replicas { state, metrics, settled, wanted, .. } = self.replicas;
        let now = state.clock.now();
        match look {
            Ok(()) => {
                if now.saturating_duration_since(self.told) > BREAK {
                    self.unbroken = now;
                    // This one may not have been heard either.
                    wanted.whole.notify_one();
                }
                self.told = now;
            }
            Err(error) => {
                metrics.store_errors.inc();
                tracing::debug!(%error, "the store did not tell what other replicas did");
            }
        }
        metrics.log_lag_seconds.set(now.saturating_duration_since(self.told).as_secs_f64());
        // While the store is away, or this process sleeps, nobody is heard, and nobody is gone for that.
        for replica in self.peers.forget_silent(self.unbroken, self.told) {
            state.nodes.without(&replica, state.clock.wall());
        }
        if let Some(before) = self.told.checked_sub(UNSAID).filter(|before| *before >= self.unbroken) {
            state.hints.forget_unsaid(before);
        }
        self.tell_fleet();
        if self.settles.is_some_and(|settles| now >= settles || self.awaited.is_empty()) {
            settled.cancel();
        }
    }

    /// Gives how long it is to be waited for the others still; `None` when not at all.
    fn settles_in(&self) -> Option<Duration> {
        let settles = self.settles.filter(|_| !self.replicas.settled.is_cancelled())?;
        Some(settles.saturating_duration_since(self.replicas.state.clock.now()))
    }

    fn tell_fleet(&self) {
        let others = self.peers.others();
        self.replicas.metrics.replicas.set(i64::try_from(others.len()).unwrap_or(i64::MAX).saturating_add(1));
        self.replicas.state.fleet.tell(others);
    }

    async fn read_posts(&mut self) -> Result<(), StoreError> {
        let store = &self.replicas.state.store;
        let mut after = match self.read {
            Some(read) => read,
            None => self.first_look().await?,
        };
        loop {
            let Some(posts) = store.posts_since(after, PAGE).await? else {
                return self.miss().await;
            };
            let is_last = posts.len() < PAGE as usize;
            for post in posts {
                after = post.number;
                self.read = Some(after);
                self.hear(post).await;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Finds out whether there may be others, of which it is then waited to hear. What was posted before this replica was
    /// there is not taken for news.
    async fn first_look(&mut self) -> Result<u64, StoreError> {
        let Replicas { state, me, .. } = self.replicas;
        let newest = state.store.newest_post().await?;
        let page = u32::try_from(BEFORE).unwrap_or(u32::MAX);
        let before = state.store.posts_since(newest.saturating_sub(BEFORE), page).await?;
        let mut seen = Peers::default();
        let now = state.clock.now();
        for posted in before.unwrap_or_default() {
            if posted.replica == me.replica {
                continue;
            }
            if let Ok(post) = from_bytes(&posted.body, state.clock.wall(), |_| ()) {
                seen.heard_before(&posted.replica, &post, now);
            }
        }
        self.awaited = seen.replicas();
        self.settles = Some(now + SETTLE);
        self.read = Some(newest);
        Ok(newest)
    }

    /// Goes on with the newest post when older ones are gone: what they said of usage is read from the store again.
    async fn miss(&mut self) -> Result<(), StoreError> {
        let state = &self.replicas.state;
        let newest = state.store.newest_post().await?;
        tracing::info!(after = self.read, newest, "posts of other replicas were missed");
        self.read = Some(newest);
        state.quotas.forget();
        Ok(())
    }

    async fn hear(&mut self, posted: Posted) {
        let Replicas { state, me, wanted, .. } = self.replicas;
        if posted.replica == me.replica {
            return;
        }
        let odd = |error| tracing::warn!(%error, "a part of another replica's post means nothing here");
        let mut post = match from_bytes(&posted.body, state.clock.wall(), odd) {
            Ok(post) => post,
            Err(error) => return tracing::warn!(%error, "another replica's post means nothing here"),
        };
        match self.peers.order(&posted.replica, post.number, state.clock.now()) {
            Order::Next => {}
            // Its sender was not told that it was taken.
            Order::Again => return,
            // What they said of usage is read from the store.
            Order::AfterLost => state.quotas.forget(),
        }
        if post.history != state.history() {
            // One of the two has yet to find out that the store has another history. Who led in the other one says
            // nothing here, and is not to be taken for the newest leader for ever.
            (post.config, post.leader_epoch, post.passing) = Default::default();
        }
        let sender = self.peers.heard(&posted.replica, &post, state.clock.now());
        if sender == Sender::New || post.joined {
            wanted.whole.notify_one();
        }
        if post.resigned || sender == Sender::Leaves {
            state.leading.vacant();
        }
        if post.whole || post.leaving {
            self.awaited.remove(&posted.replica);
        }
        if post.config > state.offered() {
            wanted.configuration.notify_one();
        }
        self.hear_nodes(&posted.replica, &post, sender);
        self.hear_hints(&post);
        self.hear_recalls(&post);
        self.hear_reports(post).await;
    }

    fn hear_nodes(&self, replica: &ReplicaId, post: &Post, sender: Sender) {
        let nodes = &self.replicas.state.nodes;
        let says_something = post.whole || !post.nodes.is_empty() || !post.gone.is_empty();
        match sender {
            // They are on their way to another replica, which tells of them.
            Sender::Leaves => nodes.without(replica, self.replicas.state.clock.wall()),
            Sender::New | Sender::Known if says_something => {
                nodes.told(replica, post.whole, &post.nodes, &post.gone);
            }
            _ => {}
        }
    }

    /// Hands on the leader's hints that are never stored; what one says who leads no more is passed over.
    fn hear_hints(&self, post: &Post) {
        let Replicas { state, publish, .. } = self.replicas;
        state.fleet.led(post.leader_epoch);
        if post.leader_epoch < state.fleet.leader_epoch() {
            return;
        }
        let now = state.clock.now();
        for hint in post.passing.iter().filter(|hint| !hint.is_stored()) {
            state.hints.merge(hint.clone(), state.clock.wall());
            state.hints.said(hint.key(), now);
            publish.hint_now(hint);
        }
    }

    /// Asks nodes that claim here for what others wait for.
    fn hear_recalls(&self, post: &Post) {
        let Replicas { state, metrics, .. } = self.replicas;
        let now = state.clock.wall();
        for held in &post.recalls {
            let age = now.since(held.at);
            if age < STALE && state.recalls.ask(&held.node, held.incarnation, &held.grants, age) {
                metrics.quota.recalls.inc();
            }
        }
    }

    async fn hear_reports(&self, post: Post) {
        let Replicas { state, decide, .. } = self.replicas;
        let now = state.clock.wall();
        // Beside this replica's own commits, which may wait for the store for long: what rests is read after this. A post
        // comes after its commit, and before or after a reading of sums, so that no lock would make its sums exact.
        for sums in &post.usage {
            state.fold_sums(&sums.rows, sums.end, sums.minute, now);
        }
        state.hear_probes(post.probes);
        let heard = post.traffic.into_iter().map(evidence);
        state.reports.push(heard.map(|(provider, evidence)| Heard::Traffic(provider, evidence)));
        for (event, at) in post.events {
            let age = now.since(at);
            decide.on_told(cliproxy_domain::UrgentEvent { age, ..event }).await;
        }
    }

    /// Goes on in another history of the store: all streams end, and what is known here and the store has lost is stored
    /// again.
    async fn go_on_in(&mut self, history: HistoryId) -> Result<(), StoreError> {
        let Replicas { state, log, decide, wanted, .. } = self.replicas;
        tracing::warn!(
            before = %state.history(), %history,
            "the store went back to an earlier state; nodes connect anew and send again what it has lost"
        );
        let _turn = state.ledger.lock().await;
        let lost = log.rebase().await?;
        state.begin_era(history).await?;
        // Whoever leads measures and adds up anew.
        state.leading.end();
        self.read = None;
        wanted.number.notify_one();
        if !lost.is_empty() {
            tracing::info!(count = lost.len(), "what the store lost of rests and health is stored again");
            decide.store_again(lost).await;
        }
        Ok(())
    }
}
