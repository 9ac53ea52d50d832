//! A gRPC connection to a control plane, through the node's network seam.

use super::{
    pace::{Pace, Pings},
    way::Way,
};
use cliproxy_proto::RETRY_PUSHBACK;
use hyper_util::rt::TokioIo;
use std::{error::Error as _, sync::Arc, time::Duration};
use tonic::transport::{Channel, Endpoint, Uri};

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("the address of the control plane is none that gRPC can use: {0}")]
    Address(String),
    #[error("no connection: {0}")]
    Connect(String),
    #[error("the control plane ended the stream: {0}")]
    Status(String),
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the control plane asked to be tried again in {after:?}: {said}")]
    Later { after: Duration, said: String },
    #[error("the control plane closed the stream")]
    Closed,
    #[error("the control plane was silent for {0:?}")]
    Silent(Duration),
    #[error("the control plane sent what it should not: {0}")]
    Protocol(String),
}

impl SessionError {
    /// Tells whether nobody ended the session: whoever was there is not, or is not heard.
    pub(super) fn is_of_the_connection(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Broken(_) | Self::Closed | Self::Silent(_))
    }
}

/// The longest wait that a control plane may ask for.
const LONGEST_LATER: Duration = Duration::from_secs(60);

impl From<tonic::Status> for SessionError {
    fn from(status: tonic::Status) -> Self {
        let said = format!("{:?}: {}", status.code(), status.message());
        let after = status.metadata().get(RETRY_PUSHBACK).and_then(|value| value.to_str().ok());
        match after.and_then(|text| text.parse().ok()) {
            Some(ms) => Self::Later { after: Duration::from_millis(ms).min(LONGEST_LATER), said },
            // What came of the connection, such as a certificate that the control plane refuses.
            None => match status.source() {
                Some(source) => Self::Broken(format!("{said}: {}", error_chain(source))),
                None => Self::Status(said),
            },
        }
    }
}

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);

/// A connection, and where it leads.
#[derive(Clone)]
pub(super) struct Uplink {
    pub(super) endpoint: String,
    pub(super) channel: Channel,
}

/// Opens connections, as patient as the node is at that time.
pub(super) struct Dialer {
    way: Way,
    pace: Arc<Pace>,
}

impl Dialer {
    pub(super) fn new(way: Way, pace: Arc<Pace>) -> Self {
        Self { way, pace }
    }

    pub(super) async fn dial(&self, endpoint: &str) -> Result<Uplink, SessionError> {
        let channel = connect(&self.way, endpoint, self.pace.pings()).await?;
        Ok(Uplink { endpoint: endpoint.to_owned(), channel })
    }
}

async fn connect(way: &Way, endpoint: &str, pings: Pings) -> Result<Channel, SessionError> {
    let target = Endpoint::from_shared(endpoint.to_owned())
        .map_err(|error| SessionError::Address(error.to_string()))?
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(pings.every)
        .keep_alive_timeout(pings.within)
        .keep_alive_while_idle(true);
    let way = way.clone();
    let connector = tower::service_fn(move |uri: Uri| {
        let way = way.clone();
        async move { way.open(&uri).await.map(TokioIo::new) }
    });
    let connecting = tokio::time::timeout(CONNECT, target.connect_with_connector(connector));
    match connecting.await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(SessionError::Connect(error_chain(&error))),
        Err(_) => Err(SessionError::Connect(format!("not within {CONNECT:?}"))),
    }
}

fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    cliproxy_observe::redact::error_chain(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Status;

    #[test]
    fn a_wait_that_the_control_plane_names_is_taken_and_bounded() {
        let named = |text: &'static str| {
            let mut status = Status::resource_exhausted("too many at once");
            status.metadata_mut().insert(RETRY_PUSHBACK, text.parse().unwrap());
            SessionError::from(status)
        };
        assert!(matches!(named("350"), SessionError::Later { after, .. } if after.as_millis() == 350));
        assert!(matches!(named("99999999"), SessionError::Later { after, .. } if after == LONGEST_LATER));
        // In gRPC a negative one means never; this node comes back all the same, at its own pace.
        assert!(matches!(named("-1"), SessionError::Status(_)));
        assert!(matches!(Status::unavailable("gone").into(), SessionError::Status(_)));
    }
}
