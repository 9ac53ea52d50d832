//! The connection to another replica that is open and idle, so that nothing has to be set up when the node goes there.

use super::{
    SyncMetrics,
    connect::{SessionError, Uplink},
    moving::Ways,
    pace::Backoff,
    places::Places,
};
use cliproxy_proto::v1::{LookRequest, LookResponse, sync_client::SyncClient};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::sync::Notify;
use tonic::Code;

/// How often the replica on the other end is asked how it is, and how long its answer may take.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// The warm connection, and what it is kept beside.
pub(super) struct Standby {
    state: Mutex<State>,
    changed: Notify,
    metrics: SyncMetrics,
}

#[derive(Default)]
struct State {
    /// Whom the node follows now.
    primary: Option<Primary>,
    warm: Option<Warm>,
}

#[derive(Clone)]
struct Primary {
    endpoint: String,
    cp_id: String,
}

#[derive(Clone)]
struct Warm {
    uplink: Uplink,
    cp_id: String,
    db_ok: bool,
}

impl Standby {
    pub(super) fn new(metrics: SyncMetrics) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), metrics }
    }

    /// Notes whom the node follows from now on: the standby is another replica.
    pub(super) fn beside(&self, endpoint: &str, cp_id: &str) {
        let mut state = self.state.lock();
        state.primary = Some(Primary { endpoint: endpoint.to_owned(), cp_id: cp_id.to_owned() });
        if state.warm.as_ref().is_some_and(|warm| warm.cp_id == cp_id && !cp_id.is_empty()) {
            state.warm = None;
        }
        self.noted(&state);
    }

    /// Notes that the node follows nobody.
    pub(super) fn alone(&self) {
        self.state.lock().primary = None;
    }

    /// Gives the warm connection away.
    pub(super) fn take(&self) -> Option<Uplink> {
        let mut state = self.state.lock();
        let warm = state.warm.take();
        self.noted(&state);
        warm.map(|warm| warm.uplink)
    }

    /// Gives the warm connection away when `wanted` holds of where it leads.
    pub(super) fn take_if(&self, wanted: impl Fn(&str) -> bool) -> Option<Uplink> {
        let leads_there = self.state.lock().warm.as_ref().is_some_and(|warm| wanted(&warm.uplink.endpoint));
        if leads_there { self.take() } else { None }
    }

    /// Tells whether there is a warm connection to a replica whose store answers.
    pub(super) fn has_store(&self) -> bool {
        self.state.lock().warm.as_ref().is_some_and(|warm| warm.db_ok)
    }

    /// Keeps a connection warm, for as long as it is polled.
    pub(super) async fn keep(&self, ways: &Ways) {
        let mut backoff = Backoff::default();
        loop {
            let (primary, warm) = {
                let state = self.state.lock();
                (state.primary.clone(), state.warm.clone())
            };
            match (primary, warm) {
                (None, _) => self.changed.notified().await,
                (Some(primary), None) => {
                    if self.find(ways, &primary, |_| true).await {
                        backoff.reset();
                        continue;
                    }
                    self.wait(backoff.next(&ways.entropy), &ways.places).await;
                }
                (Some(primary), Some(warm)) => {
                    self.wait(LOOK_EVERY, &ways.places).await;
                    self.look_after(warm).await;
                    // Whoever has no store is worth leaving for one that has.
                    if !self.has_store() {
                        self.find(ways, &primary, |looked| looked.db_ok).await;
                    }
                }
            }
        }
    }

    async fn wait(&self, time: Duration, places: &Places) {
        tokio::select! {
            biased;
            () = self.changed.notified() => {}
            () = places.changed() => {}
            () = tokio::time::sleep(time) => {}
        }
    }

    /// Tries places one after another until one leads to another replica than the node's that `wanted` holds of.
    async fn find(&self, ways: &Ways, primary: &Primary, wanted: impl Fn(&LookResponse) -> bool) -> bool {
        let now_warm = self.state.lock().warm.as_ref().map(|warm| warm.uplink.endpoint.clone());
        for endpoint in ways.places.all() {
            if endpoint == primary.endpoint || Some(&endpoint) == now_warm.as_ref() {
                continue;
            }
            let looked = async {
                let uplink = ways.dialer.dial(&endpoint).await?;
                let looked = look(&uplink).await?;
                ways.pace.answers(&endpoint);
                Ok::<_, SessionError>((uplink, looked))
            };
            match looked.await {
                Ok((uplink, looked)) if !looked.leaving && wanted(&looked) => {
                    if self.warmed(uplink, looked) {
                        return true;
                    }
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(endpoint, %error, "a replica cannot stand by"),
            }
        }
        false
    }

    /// Takes a connection in, unless it leads to the replica that the node follows by now.
    fn warmed(&self, uplink: Uplink, looked: LookResponse) -> bool {
        let mut state = self.state.lock();
        let is_primary = state
            .primary
            .as_ref()
            .is_none_or(|primary| primary.cp_id == looked.cp_id && !looked.cp_id.is_empty());
        if is_primary {
            return false;
        }
        tracing::info!(endpoint = uplink.endpoint, control_plane = looked.cp_id, "another replica stands by");
        state.warm = Some(Warm { uplink, cp_id: looked.cp_id, db_ok: looked.db_ok });
        self.noted(&state);
        true
    }

    /// Asks the replica on the warm connection how it is, and gives the connection up when that is no good.
    async fn look_after(&self, warm: Warm) {
        let looked = look(&warm.uplink).await;
        let mut state = self.state.lock();
        // Meanwhile it may have been given away.
        let Some(known) = state.warm.as_mut().filter(|known| known.uplink.endpoint == warm.uplink.endpoint)
        else {
            return;
        };
        let lost = match looked {
            Ok(looked) if looked.leaving => "it is about to end".to_owned(),
            Ok(looked) if looked.cp_id != known.cp_id => "another replica answers there".to_owned(),
            Ok(looked) => {
                known.db_ok = looked.db_ok;
                return;
            }
            Err(error) => error.to_string(),
        };
        tracing::info!(endpoint = warm.uplink.endpoint, reason = lost, "no replica stands by");
        state.warm = None;
        self.noted(&state);
    }

    fn noted(&self, state: &State) {
        self.metrics.standby.set(i64::from(state.warm.is_some()));
        self.changed.notify_one();
    }
}

/// Asks a replica how it is. One of an older program does not say: it stands by, and is not preferred.
async fn look(uplink: &Uplink) -> Result<LookResponse, SessionError> {
    let mut client = SyncClient::new(uplink.channel.clone());
    match tokio::time::timeout(LOOK_WITHIN, client.look(LookRequest {})).await {
        Ok(Ok(looked)) => Ok(looked.into_inner()),
        Ok(Err(status)) if status.code() == Code::Unimplemented => Ok(LookResponse::default()),
        Ok(Err(status)) => Err(status.into()),
        Err(_) => Err(SessionError::Silent(LOOK_WITHIN)),
    }
}
