//! Moves of the node from one replica to another: the stream there is open and welcomed before the one here is closed, so
//! that nothing is said in between that the node does not hear.

use super::{
    connect::{Dialer, SessionError, Uplink},
    pace::Pace,
    places::Places,
    standby::Standby,
    subscribe::{Opened, open},
};
use cliproxy_host::{Clock, Entropy};
use cliproxy_proto::v1::{Hello, ReconnectTo};
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::time::Instant;

/// So many heartbeats without a store in a row, and the node goes where there is one.
const STORELESS_BEATS: u32 = 2;
/// How soon the node tries again to leave a replica that is about to end.
const AGAIN: Duration = Duration::from_millis(500);
/// The longest time within which a control plane may have nodes go.
const LONGEST_WITHIN: Duration = Duration::from_secs(60);

/// Why the node moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The control plane asked for it.
    Told,
    /// The control plane is about to end.
    Leaving,
    /// The control plane's store does not answer, and another's does.
    Store,
}

/// All reasons.
pub(super) const REASONS: [Reason; 3] = [Reason::Told, Reason::Leaving, Reason::Store];

impl Reason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Leaving => "leaving",
            Self::Store => "store",
        }
    }
}

/// What moves need of the rest of the node.
pub(super) struct Ways {
    pub(super) standby: Standby,
    pub(super) places: Places,
    pub(super) dialer: Arc<Dialer>,
    pub(super) pace: Arc<Pace>,
    pub(super) entropy: Entropy,
    pub(super) clock: Arc<dyn Clock>,
}

/// Whether and where the node moves from one stream.
pub(super) struct Moving {
    ways: Arc<Ways>,
    /// Where the node is now.
    endpoint: String,
    plan: Option<Plan>,
    opening: Option<(Reason, Opening)>,
    storeless: u32,
}

struct Plan {
    at: Instant,
    reason: Reason,
    to: Vec<String>,
}

/// A step of a move.
pub(super) enum Step {
    /// It is time to [`Moving::begin`].
    Due,
    /// The stream elsewhere is welcomed.
    Arrived(Reason, Box<Opened>),
    /// There was nowhere to go.
    Stays,
}

type Opening = Pin<Box<dyn Future<Output = Result<Opened, SessionError>> + Send>>;

impl Moving {
    pub(super) fn from(ways: Arc<Ways>, endpoint: String) -> Self {
        Self { ways, endpoint, plan: None, opening: None, storeless: 0 }
    }

    /// Takes a control plane's word.
    pub(super) fn told(&mut self, word: ReconnectTo) {
        if self.opening.is_some() {
            return;
        }
        let within = Duration::from_millis(word.within_ms.into()).min(LONGEST_WITHIN);
        let reason = if word.leaving { Reason::Leaving } else { Reason::Told };
        tracing::info!(
            endpoint = self.endpoint,
            reason = reason.as_str(),
            "the control plane asks the node to go"
        );
        let is_free = word.endpoints.is_empty() || word.leaving;
        let to: Vec<String> =
            word.endpoints.into_iter().filter(|place| self.ways.places.accepts(place)).collect();
        if to.is_empty() && !is_free {
            tracing::warn!(endpoint = self.endpoint, "the node may not go where it is asked to, and stays");
            return;
        }
        self.plan = Some(Plan { at: self.in_(within.mul_f64(self.ways.entropy.fraction())), reason, to });
    }

    /// Takes a heartbeat's word on the store.
    pub(super) fn heartbeat(&mut self, db_ok: bool) {
        self.storeless = if db_ok { 0 } else { self.storeless.saturating_add(1) };
        let is_free = self.plan.is_none() && self.opening.is_none();
        if self.storeless >= STORELESS_BEATS && is_free && self.ways.standby.has_store() {
            self.plan = Some(Plan { at: self.in_(Duration::ZERO), reason: Reason::Store, to: Vec::new() });
        }
    }

    fn in_(&self, time: Duration) -> Instant {
        Instant::from_std(self.ways.clock.now() + time)
    }

    /// Begins to open the stream elsewhere, where there is an elsewhere.
    pub(super) fn begin(&mut self, hello: Hello) {
        let Some(Plan { reason, to, .. }) = self.plan.take() else { return };
        let standby = &self.ways.standby;
        let warm = match reason {
            Reason::Told if !to.is_empty() => {
                standby.take_if(|place| to.iter().any(|wanted| wanted == place))
            }
            Reason::Store if !standby.has_store() => return,
            _ => standby.take(),
        };
        let places = match reason {
            _ if warm.is_some() => Vec::new(),
            Reason::Store => return,
            Reason::Leaving => {
                let all = self.ways.places.all();
                to.into_iter().chain(all).filter(|place| *place != self.endpoint).collect()
            }
            Reason::Told if !to.is_empty() => to,
            Reason::Told => self.ways.places.all(),
        };
        let (ways, patience) = (Arc::clone(&self.ways), self.ways.pace.patience());
        self.opening = Some((
            reason,
            Box::pin(async move {
                let opened = open_any(ways, warm, places, hello, patience).await?;
                if reason == Reason::Store && !opened.welcome.db_ok {
                    return Err(SessionError::Status("its store does not answer either".to_owned()));
                }
                Ok(opened)
            }),
        ));
    }

    /// Waits for the next step of a move; for ever while there is none. Safe to cancel.
    pub(super) async fn step(&mut self) -> Step {
        if let Some((reason, opening)) = &mut self.opening {
            let (reason, opened) = (*reason, opening.await);
            self.opening = None;
            return match opened {
                Ok(opened) => Step::Arrived(reason, Box::new(opened)),
                Err(error) => self.stays(reason, &error),
            };
        }
        match &self.plan {
            Some(plan) => {
                tokio::time::sleep_until(plan.at).await;
                Step::Due
            }
            None => std::future::pending().await,
        }
    }

    fn stays(&mut self, reason: Reason, error: &SessionError) -> Step {
        tracing::warn!(%error, reason = reason.as_str(), "the node could not go elsewhere, and stays");
        if reason == Reason::Leaving {
            let again = AGAIN.mul_f64(1.0 + self.ways.entropy.fraction());
            self.plan = Some(Plan { at: self.in_(again), reason, to: Vec::new() });
        }
        Step::Stays
    }
}

/// Opens a stream over the warm connection, else to one place after another.
async fn open_any(
    ways: Arc<Ways>,
    warm: Option<Uplink>,
    places: Vec<String>,
    hello: Hello,
    patience: Duration,
) -> Result<Opened, SessionError> {
    if let Some(warm) = warm {
        return open(warm, hello, patience).await;
    }
    let mut last = SessionError::Connect("no other place is known".to_owned());
    for place in places {
        let opened = match ways.dialer.dial(&place).await {
            Ok(uplink) => open(uplink, hello.clone(), patience).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok(opened) => return Ok(opened),
            Err(error) => last = error,
        }
    }
    Err(last)
}
