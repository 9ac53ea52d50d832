//! The connection to the control plane as the rest of the node sees it.

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use cliproxy_proto::v1::{AskRequest, relay_client::RelayClient};
use http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use tonic::transport::Channel;

/// Control planes that are silent for so long are away. A little longer than the node is patient with one of them, so
/// that going to another is no silence.
pub(super) const SILENCE: Duration = Duration::from_millis(2_250);
/// How long a call waits for the first connection of a process that has just begun.
const FIRST_CONNECTION: Duration = Duration::from_secs(1);
/// What an answer may hold.
const MAX_ANSWER: usize = 32 << 20;

/// The connection as operators see it, and their way to ask over it.
#[derive(Default)]
pub struct ControlLink {
    channel: ArcSwapOption<Channel>,
    state: Mutex<State>,
    heard_again: Notify,
    opened: Notify,
    /// The first connection was waited for in vain.
    gave_up: AtomicBool,
}

#[derive(Default)]
struct State {
    configured: bool,
    connected: bool,
    last_heard: Option<Instant>,
}

/// What the control plane answered an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// The status.
    pub status: StatusCode,
    /// What the body is.
    pub content_type: HeaderValue,
    /// The body.
    pub body: Bytes,
}

impl ControlLink {
    /// Starts unconnected. `configured` tells whether there is any control plane to connect to.
    pub fn new(configured: bool) -> Self {
        Self { state: Mutex::new(State { configured, ..State::default() }), ..Self::default() }
    }

    /// Tells whether the node has no control plane at all.
    pub fn is_alone(&self) -> bool {
        !self.state.lock().configured
    }

    /// Says how the connection is: `none`, `connecting`, `connected`, or `stale` with the seconds since the control
    /// plane was last heard.
    pub fn describe(&self, now: Instant) -> String {
        let state = self.state.lock();
        match (state.configured, state.connected, state.last_heard) {
            (false, ..) => "none".to_owned(),
            (_, true, _) => "connected".to_owned(),
            (_, false, None) => "connecting".to_owned(),
            (_, false, Some(heard)) => format!("stale({})", now.saturating_duration_since(heard).as_secs()),
        }
    }

    /// Hands an operator's call on. None when the control plane is not connected, was not within a second of the start, or does not answer `within` the time;
    /// a call that changes something may then have been carried out.
    pub async fn ask(&self, request: AskRequest, within: Duration) -> Option<Relayed> {
        let channel = self.opened().await?;
        let mut client = RelayClient::new(channel).max_decoding_message_size(MAX_ANSWER);
        let answer = tokio::time::timeout(within, client.ask(request)).await;
        let answer = match answer {
            Ok(Ok(answer)) => answer.into_inner(),
            Ok(Err(status)) => {
                tracing::info!(%status, "the control plane did not answer an operator's call");
                return None;
            }
            Err(_) => return None,
        };
        Some(Relayed {
            status: u16::try_from(answer.status).ok().and_then(|code| StatusCode::from_u16(code).ok())?,
            content_type: HeaderValue::try_from(answer.content_type).ok()?,
            body: answer.body.into(),
        })
    }

    /// Gives the connection. A process that has just begun has none yet: its first calls wait for that, and once in vain.
    async fn opened(&self) -> Option<Channel> {
        let mut opened = pin!(self.opened.notified());
        // From here on no connection is missed.
        opened.as_mut().enable();
        let is_new = self.last_heard().is_none() && !self.is_alone() && !self.gave_up.load(Relaxed);
        if self.channel.load().is_none() && is_new {
            let late = tokio::time::timeout(FIRST_CONNECTION, opened).await.is_err();
            self.gave_up.store(late, Relaxed);
        }
        self.channel()
    }

    /// Gives the connection, once there is one.
    pub(super) fn channel(&self) -> Option<Channel> {
        self.channel.load_full().map(|channel| Channel::clone(&channel))
    }

    pub(super) fn connecting(&self, channel: Channel) {
        self.channel.store(Some(Arc::new(channel)));
        self.opened.notify_waiters();
    }

    pub(super) fn heard(&self, now: Instant) {
        let mut state = self.state.lock();
        let was_silent = state.last_heard.is_none_or(|heard| now.saturating_duration_since(heard) >= SILENCE);
        state.connected = true;
        state.last_heard = Some(now);
        drop(state);
        if was_silent {
            self.heard_again.notify_one();
        }
    }

    pub(super) fn disconnected(&self) {
        self.channel.store(None);
        self.state.lock().connected = false;
    }

    /// Tells when the control plane was last heard; none before it ever was.
    pub fn last_heard(&self) -> Option<Instant> {
        self.state.lock().last_heard
    }

    /// Waits until the control plane is heard after a silence.
    pub(super) async fn heard_again(&self) {
        self.heard_again.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_host::{Clock as _, SystemClock};

    #[tokio::test(start_paused = true)]
    async fn the_first_calls_wait_for_the_first_connection_and_once_in_vain() {
        let link = ControlLink::new(true);
        let connects = async {
            tokio::time::sleep(FIRST_CONNECTION / 2).await;
            link.connecting(Channel::from_static("http://127.0.0.1:9").connect_lazy());
        };
        let (opened, ()) = tokio::join!(link.opened(), connects);
        assert!(opened.is_some());

        let link = ControlLink::new(true);
        let now = || SystemClock.now();
        let began = now();
        assert!(link.opened().await.is_none());
        assert_eq!(now() - began, FIRST_CONNECTION);
        assert!(link.opened().await.is_none());
        assert_eq!(now() - began, FIRST_CONNECTION, "who cannot connect answers by itself at once");
    }
}
