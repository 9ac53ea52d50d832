//! Sends urgent events up as they happen.

use super::connect::SessionError;
use cliproxy_domain::{NodeId, UrgentEvent};
use cliproxy_proto::{convert::telemetry::event_to_wire, v1::telemetry_client::TelemetryClient};
use std::collections::VecDeque;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

/// Events that were sent and not acknowledged yet; more push out the oldest, which the ledger has counted.
const MAX_UNACKED: usize = 256;

/// Events on their way. It outlives sessions: what was not acknowledged is sent again to the next control plane.
pub(super) struct Outbox {
    incoming: mpsc::Receiver<UrgentEvent>,
    unacked: VecDeque<UrgentEvent>,
}

impl Outbox {
    pub(super) fn new(incoming: mpsc::Receiver<UrgentEvent>) -> Self {
        Self { incoming, unacked: VecDeque::new() }
    }

    pub(super) async fn run(&mut self, channel: Channel, node: &NodeId) -> SessionError {
        let (up, stream) = mpsc::channel(MAX_UNACKED);
        for event in &self.unacked {
            // The channel holds as many as there can be.
            if up.try_send(event_to_wire(event)).is_err() {
                break;
            }
        }
        let mut client = TelemetryClient::new(channel);
        let mut acks = match client.events(ReceiverStream::new(stream)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return status.into(),
        };
        loop {
            tokio::select! {
                event = self.incoming.recv() => {
                    let Some(event) = event else { std::future::pending().await };
                    debug_assert_eq!(&event.node, node);
                    let message = event_to_wire(&event);
                    // Kept before it is sent: the session may be dropped while the sending waits.
                    self.keep(event);
                    if up.send(message).await.is_err() {
                        return SessionError::Closed;
                    }
                }
                ack = acks.message() => match ack {
                    Ok(Some(ack)) => self.unacked.retain(|event| event.id != ack.event_id),
                    Ok(None) => return SessionError::Closed,
                    Err(status) => return status.into(),
                },
            }
        }
    }

    fn keep(&mut self, event: UrgentEvent) {
        if self.unacked.len() == MAX_UNACKED {
            self.unacked.pop_front();
        }
        self.unacked.push_back(event);
    }
}
