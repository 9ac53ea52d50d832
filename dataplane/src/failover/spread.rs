//! Rests that nodes without a control plane in common tell each other, where all of them serve. The nodes of a pair do
//! not: what the primary cannot call is what the backup is there for, often with keys of its own. Both kinds tell each
//! other that they leave.
//!
//! Best effort: a node that is away when a rest begins hears of it when it is back, by what each node repeats to each
//! other now and then. The values merge, so that they may come twice and in any order. Nobody proves who he is: what
//! comes from an address of a configured peer is taken to be his. What could be done with it is to let providers rest.

use super::{Failover, FailoverSettings, Way, metrics::Telling, others::Other};
use bytes::Bytes;
use cliproxy_domain::{Cooldown, CooldownKey, Hint};
use cliproxy_proto::convert::peers::{PeerWord, from_body, to_body};
use futures_util::future::join_all;
use http::{Request, StatusCode, header, uri::PathAndQuery};
use http_body_util::Full;
use parking_lot::Mutex;
use std::{collections::BTreeMap, net::IpAddr, time::Duration};

/// Where a node is told.
pub const PATH: &str = "/v0/peers/hints";
/// The largest message, in bytes. A rest takes about 150.
pub const MAX_BODY: usize = 1024 * 1024;
/// Rests in one message at most.
const MOST: usize = 4_000;
/// How long another node has to take a message.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often everything is told again: what a node missed while nobody noticed that it was away.
const REPEAT: Duration = Duration::from_secs(30);
/// The pause after a message that was not taken.
const PAUSE: Duration = Duration::from_secs(1);

/// The rests that came from other nodes: they need not be told to the rest of them.
pub(super) type Heard = Mutex<BTreeMap<CooldownKey, Cooldown>>;

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Rests come from the control plane, or from nobody.
    NotHere,
    /// It comes from no peer.
    Stranger,
    /// It is no message.
    Malformed,
}

impl Failover {
    /// Tells whether nodes tell each other anything: where they have no control plane in common.
    fn talks(&self) -> bool {
        self.settings.as_ref().is_some_and(|settings| !settings.shares_control_plane)
    }

    /// Tells whether nodes tell each other what rests.
    fn spreads(&self) -> bool {
        let equal = |settings: &FailoverSettings| matches!(settings.way, Way::Equals { .. });
        self.talks() && self.settings.as_ref().is_some_and(equal)
    }

    /// Tells whether another node may tell this one something, by where it comes from.
    ///
    /// # Errors
    /// When it is nobody from whom that is taken.
    pub fn admit(&self, from: IpAddr) -> Result<(), Denied> {
        if !self.talks() {
            return Err(Denied::NotHere);
        }
        let from = from.to_canonical();
        let is_his = |other: &Other| other.known().addresses.iter().any(|own| own.to_canonical() == from);
        if self.others.iter().any(is_his) {
            return Ok(());
        }
        self.metrics.hints(Telling::Denied);
        Err(Denied::Stranger)
    }

    /// Takes in what another node tells, once it was admitted. Gives how many rests of it were news.
    ///
    /// # Errors
    /// When it is no message.
    pub fn take(&self, body: &[u8]) -> Result<usize, Denied> {
        let now = self.clock.wall();
        let PeerWord { node, rests: mut told, leaving } = from_body(body, now).ok_or(Denied::Malformed)?;
        if leaving {
            self.left(node.as_str());
        }
        let Some(known) = self.live.known().filter(|_| self.spreads()) else { return Ok(0) };
        told.retain(|rest| known.snapshot.providers.contains_key(&rest.key.provider));
        told.truncate(MOST);
        self.metrics.hints(Telling::Heard);
        let mut news = 0;
        for rest in told {
            if self.live.hint(Hint::Cooldown(rest.clone()), now) {
                news += 1;
                tracing::info!(subject = %rest.key, until = %rest.until, source = %rest.source,
                    "another node says that something rests, or that it does no more");
            }
            // As it is known now, so that it is recognised as heard.
            if let Some(Hint::Cooldown(merged)) = self.live.hint_of(&Hint::Cooldown(rest).key()) {
                self.heard.lock().insert(merged.key.clone(), merged);
            }
        }
        Ok(news)
    }

    /// Tells every other node what rests, for as long as it is polled.
    pub(super) async fn tell_all(&self) {
        if self.spreads() {
            join_all(self.others.iter().map(|other| self.tell(other))).await;
        }
    }

    async fn tell(&self, other: &Other) {
        let mut changes = self.live.subscribe_hints();
        let mut told: BTreeMap<CooldownKey, Cooldown> = BTreeMap::new();
        let mut repeated = self.now();
        // At first, after it was away and now and then also what this node only heard of: it may have heard it back from
        // those whom it told.
        let mut all = true;
        let mut failures = 0;
        loop {
            let failed = other.known().failures;
            if failed != std::mem::replace(&mut failures, failed) {
                told.clear();
                all = true;
            }
            if self.now().saturating_sub(repeated) >= REPEAT {
                told.clear();
                (all, repeated) = (true, self.now());
            }
            if other.was_well() {
                // What changes from here on is seen by the next look.
                changes.mark_unchanged();
                let news = self.news(&told, all);
                let taken = news.is_empty() || self.send(other, &news).await;
                if !taken {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                let is_full = news.len() == MOST;
                told.extend(news.into_iter().map(|rest| (rest.key.clone(), rest)));
                if is_full {
                    continue;
                }
                all = false;
            }
            tokio::select! {
                biased;
                // The sender lives as long as the node.
                _ = changes.changed() => {}
                () = other.well.notified() => {}
                () = tokio::time::sleep(REPEAT) => {}
            }
        }
    }

    /// Gives the rests that another node was not told; those that this node only heard of among `all`.
    fn news(&self, told: &BTreeMap<CooldownKey, Cooldown>, all: bool) -> Vec<Cooldown> {
        let now = self.clock.wall();
        let hints = self.live.hints();
        let mut heard = self.heard.lock();
        heard.retain(|_, rest| rest.outlives_its_end() || rest.until > now);
        let rests = hints.into_iter().filter_map(|hint| match hint {
            Hint::Cooldown(rest) => Some(rest),
            _ => None,
        });
        rests
            .filter(|rest| told.get(&rest.key) != Some(rest))
            .filter(|rest| all || heard.get(&rest.key) != Some(rest))
            .take(MOST)
            .collect()
    }

    /// Sends rests to another node; tells whether it took them.
    async fn send(&self, other: &Other, rests: &[Cooldown]) -> bool {
        self.post(other, PeerWord { node: self.node.clone(), rests: rests.to_vec(), leaving: false }).await
    }

    /// Tells the other nodes that this one leaves: a listener that is closed says no more than that of a node that died.
    pub(super) async fn say_goodbye(&self) {
        if !self.talks() {
            return;
        }
        let word = PeerWord { node: self.node.clone(), rests: Vec::new(), leaving: true };
        join_all(self.others.iter().map(|other| self.post(other, word.clone()))).await;
    }

    async fn post(&self, other: &Other, word: PeerWord) -> bool {
        let body = Bytes::from(to_body(&word, self.clock.wall()));
        let request = other.uri(PathAndQuery::from_static(PATH)).and_then(|uri| {
            Request::post(uri).header(header::CONTENT_TYPE, "application/x-protobuf").body(Full::new(body))
        });
        let Ok(request) = request else { return false };
        let why = match tokio::time::timeout(PATIENCE, self.pool.send(request)).await {
            Ok(Ok((answer, _))) if answer.status() == StatusCode::NO_CONTENT => {
                self.metrics.hints(Telling::Told);
                return true;
            }
            // It is there, and takes no words: whether it is well is for its checks to say.
            Ok(Ok((answer, _))) => {
                self.untold(other, &format!("it answered {}", answer.status()));
                return false;
            }
            Ok(Err(error)) => error.between("the node"),
            Err(_) => format!("no answer within {PATIENCE:?}"),
        };
        self.untold(other, &why);
        if let Some(settings) = &self.settings {
            other.missed(self.now(), settings.timeout);
        }
        false
    }

    fn untold(&self, other: &Other, why: &str) {
        self.metrics.hints(Telling::Failed);
        tracing::info!(
            peer = other.url,
            error = why,
            "another node was not told what rests, or that this one leaves"
        );
    }
}
