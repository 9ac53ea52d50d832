//! A gRPC connection to a control plane, through the node's network seam.

use cliproxy_host::Net;
use hyper_util::rt::TokioIo;
use std::{sync::Arc, time::Duration};
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
    #[error("the control plane closed the stream")]
    Closed,
    #[error("the control plane was silent for {0:?}")]
    Silent(Duration),
    #[error("the control plane sent what it should not: {0}")]
    Protocol(String),
}

impl From<tonic::Status> for SessionError {
    fn from(status: tonic::Status) -> Self {
        SessionError::Status(format!("{:?}: {}", status.code(), status.message()))
    }
}

const CONNECT: Duration = Duration::from_secs(2);
/// Pings even on an idle connection, so that a lost peer is noticed in about a second.
const PING: Duration = Duration::from_millis(250);
const PONG: Duration = Duration::from_millis(750);

pub(super) async fn connect(net: &Arc<dyn Net>, endpoint: &str) -> Result<Channel, SessionError> {
    let target = Endpoint::from_shared(endpoint.to_owned())
        .map_err(|error| SessionError::Address(error.to_string()))?
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .keep_alive_while_idle(true);
    let net = Arc::clone(net);
    let connector = tower::service_fn(move |uri: Uri| {
        let net = Arc::clone(&net);
        async move {
            let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
            net.connect(host, uri.port_u16().unwrap_or(80)).await.map(TokioIo::new)
        }
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
