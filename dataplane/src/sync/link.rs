//! The connection to the control plane as the rest of the node sees it.

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use std::{sync::Arc, time::Instant};
use tonic::transport::Channel;

/// The connection as operators see it, and their way to ask over it.
#[derive(Default)]
pub struct ControlLink {
    channel: ArcSwapOption<Channel>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    configured: bool,
    connected: bool,
    last_heard: Option<Instant>,
}

impl ControlLink {
    /// Starts unconnected. `configured` tells whether there is any control plane to connect to.
    pub fn new(configured: bool) -> Self {
        Self { channel: ArcSwapOption::empty(), state: Mutex::new(State { configured, ..State::default() }) }
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

    pub(super) fn connecting(&self, channel: Channel) {
        self.channel.store(Some(Arc::new(channel)));
    }

    pub(super) fn heard(&self, now: Instant) {
        let mut state = self.state.lock();
        state.connected = true;
        state.last_heard = Some(now);
    }

    pub(super) fn disconnected(&self) {
        self.channel.store(None);
        self.state.lock().connected = false;
    }
}
