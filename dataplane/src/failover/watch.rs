//! What runs beside the requests: checks of the other nodes, and the question who serves.

use super::{
    Failover, FailoverSettings, Way,
    check::{Health, check},
    election::Basis,
    others::{Known, Other},
};
use cliproxy_engine::role::{self, Part};
use cliproxy_proto::v1::HoldRequest;
use futures_util::future::join_all;
use std::{
    net::IpAddr,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How long the role is granted for. With the pause between two questions of the node that waits, it is taken over within
/// 5 s of the holder's death.
pub(super) const ROLE_TTL: Duration = Duration::from_secs(4);
/// How often the node that has the role renews it, and how often the other one asks for it.
const RENEW: Duration = Duration::from_secs(1);
const ASK: Duration = Duration::from_millis(500);
/// How long the control plane has to answer.
const ANSWER: Duration = Duration::from_secs(1);
/// How long another node has to answer a check at most.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often the other node is checked while that alone says who serves, although a control plane should.
const ALERT: Duration = Duration::from_secs(1);
/// After so long without a control plane clients are told.
const STALE: Duration = Duration::from_secs(60);

impl Failover {
    /// Keeps track of the other nodes until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        let watching = async {
            let checks = join_all(self.others.iter().map(|other| self.watch(other)));
            tokio::join!(checks, self.keep_role(), self.tell_all(), self.follow_silence());
        };
        let until_the_end = async {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                () = watching => {}
            }
        };
        // As soon as the node drains, however short that is.
        let goodbye = async {
            tokio::select! {
                biased;
                () = self.draining.cancelled() => self.say_goodbye().await,
                () = shutdown.cancelled() => {}
            }
        };
        tokio::join!(until_the_end, goodbye);
        // Given up while the control plane may still hear it, so that the other node need not wait for its end.
        self.release().await;
    }

    /// Checks one other node, over and over.
    async fn watch(&self, other: &Other) {
        let Some(settings) = &self.settings else { return };
        let patience = settings.check_interval.min(PATIENCE);
        loop {
            let (checked, addresses) =
                tokio::join!(check(&self.pool, other, patience), self.addresses(other, patience));
            self.note(settings, other, checked, addresses);
            let pause = self.pause(settings).mul_f64(0.8 + 0.4 * self.entropy.fraction());
            tokio::select! {
                biased;
                () = other.check_now.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn pause(&self, settings: &FailoverSettings) -> Duration {
        let alone = self.election.as_ref().is_some_and(|election| {
            settings.shares_control_plane && election.lock().basis(self.now()) == Basis::Checks
        });
        if alone { settings.check_interval.min(ALERT) } else { settings.check_interval }
    }

    /// Finds the addresses that a node's name stands for: only from there are its rests taken.
    async fn addresses(&self, other: &Other, within: Duration) -> Option<Vec<IpAddr>> {
        if let Ok(address) = other.host().parse() {
            return Some(vec![address]);
        }
        match tokio::time::timeout(within, self.net.resolve(other.host())).await {
            Ok(Ok(found)) => Some(found),
            _ => None,
        }
    }

    fn note(
        &self,
        settings: &FailoverSettings,
        other: &Other,
        checked: Result<Health, String>,
        addresses: Option<Vec<IpAddr>>,
    ) {
        let now = self.now();
        let ((said, found_itself), turn) = other.update(|known| {
            if let Some(addresses) = addresses {
                known.addresses = addresses;
            }
            let is_self =
                checked.as_ref().is_ok_and(|health| health.node.as_deref() == Some(self.node.as_str()));
            let found_itself = is_self && !known.is_self;
            (learn(known, checked, is_self, now, settings.timeout), found_itself)
        });
        if found_itself {
            tracing::error!(
                peer = other.url,
                "this address leads to this very node; set server.advertise_url to the \
                address by which the other nodes know it, so that it is told from them"
            );
        }
        match turn {
            Some(true) => tracing::info!(peer = other.url, "another node is there"),
            Some(false) => {
                let error = other.known().error.unwrap_or_else(|| "it leaves".to_owned());
                tracing::warn!(peer = other.url, error, "another node is out");
            }
            None => {}
        }
        if said != role::Other::Silent {
            other.well.notify_one();
        }
        if let Some(election) = self.election.as_ref().filter(|_| !other.known().is_self) {
            election.lock().heard(said, now);
            self.settle();
            self.wake.notify_one();
        }
    }

    /// Takes another node's word that it leaves.
    pub(super) fn left(&self, node: &str) {
        for other in self.others.iter().filter(|other| other.known().node.as_deref() == Some(node)) {
            let (_, turn) = other.update(|known| {
                known.said = Some(role::Other::Leaving);
                known.neighbour.left()
            });
            if turn.is_some() {
                tracing::info!(peer = other.url, "another node leaves");
            }
            if let Some(election) = &self.election {
                election.lock().heard(role::Other::Leaving, self.now());
                self.settle();
                self.wake.notify_one();
            }
        }
    }

    /// Follows who serves.
    async fn keep_role(&self) {
        let Some(election) = &self.election else { return };
        loop {
            let by_lease = self.ask().await;
            self.settle();
            let now = self.now();
            let (due, is_active) = {
                let election = election.lock();
                (election.due(now), election.is_active())
            };
            let due = due.map(|due| due.saturating_sub(now));
            let again = by_lease.then_some(if is_active { RENEW } else { ASK });
            let pause = [due, again].into_iter().flatten().min();
            let passed = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.wake.notified() => {}
                () = passed => {}
            }
        }
    }

    /// Asks the control plane for the role, where it is the one that grants it. Tells whether it is.
    async fn ask(&self) -> bool {
        let Some((pair, part)) = self.granted_pair() else { return false };
        // At the start of both the primary is to have it.
        if part == Part::Backup && self.now() < ROLE_TTL {
            return true;
        }
        // A node that leaves asks for nothing any more, and gives back what it has.
        let done = self.election.as_ref().is_some_and(|election| {
            let election = election.lock();
            election.is_leaving() && !election.has_lease(self.now())
        });
        if !done && self.hold(pair, false).await {
            // The primary is well again: it has the role as soon as this node gives it up.
            self.hold(pair, true).await;
        }
        true
    }

    /// Gives the role up at the end.
    async fn release(&self) {
        if let Some((pair, _)) = self.granted_pair()
            && self.election.as_ref().is_some_and(|election| election.lock().has_lease(self.now()))
        {
            self.hold(pair, true).await;
        }
    }

    /// Names the pair whose role the control plane grants, and this node's part in it.
    fn granted_pair(&self) -> Option<(&str, Part)> {
        let settings = self.settings.as_ref().filter(|settings| settings.shares_control_plane)?;
        match &settings.way {
            Way::Pair { name, part, .. } => Some((name, *part)),
            Way::Equals { .. } => None,
        }
    }

    /// Asks for the role or gives it up. Tells whether it is to be given back.
    async fn hold(&self, pair: &str, release: bool) -> bool {
        let Some(election) = &self.election else { return false };
        let sent = self.now();
        let (part, wants_back, leaving) = {
            let election = election.lock();
            (election.part(), election.wants_back(sent), election.is_leaving())
        };
        let request = HoldRequest {
            node_id: self.node.to_string(),
            pair: pair.to_owned(),
            ttl_ms: u64::try_from(ROLE_TTL.as_millis()).unwrap_or(u64::MAX),
            primary: part == Part::Primary,
            wants_back: wants_back && !leaving,
            release: release || leaving,
        };
        let answer = self.link.hold(request, ANSWER).await;
        if let Some(held) = &answer {
            election.lock().answered(held.held, sent);
        }
        self.settle();
        answer.is_some_and(|held| held.wanted_back)
    }

    /// Follows for how long no control plane was heard.
    async fn follow_silence(&self) {
        if self.link.is_alone() {
            return;
        }
        loop {
            let heard: Option<Instant> = self.link.last_heard();
            let silent = self.clock.now().saturating_duration_since(heard.unwrap_or(self.started));
            self.stale.store(silent >= STALE, std::sync::atomic::Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Puts down what a check found; gives it as the role goes by it.
fn learn(
    known: &mut Known,
    checked: Result<Health, String>,
    is_self: bool,
    now: Duration,
    timeout: Duration,
) -> role::Other {
    known.is_self = is_self;
    known.checked = Some(now);
    let said = match checked {
        Ok(health) => {
            known.node = health.node;
            known.has_role = health.has_role;
            known.error = is_self.then(|| "it is this node itself".to_owned());
            health.said
        }
        Err(error) => {
            known.error = Some(error);
            role::Other::Silent
        }
    };
    known.said = Some(said);
    known.failures += u64::from(said == role::Other::Silent);
    match said {
        _ if is_self => known.neighbour.left(),
        // It says so itself: nothing is gained by asking again.
        role::Other::Leaving => known.neighbour.left(),
        said => known.neighbour.checked(said != role::Other::Silent, now, timeout),
    };
    said
}
