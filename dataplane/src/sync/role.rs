//! Asks the control plane for the role of a pair.

use super::ControlLink;
use cliproxy_proto::v1::{HoldRequest, role_client::RoleClient};
use std::time::Duration;

/// What the control plane says of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whether the node that asked has it.
    pub held: bool,
    /// Who has it; empty when nobody does.
    pub holder: String,
    /// Grows with each change of the holder.
    pub epoch: u64,
    /// Whether the primary waits to get it back.
    pub wanted_back: bool,
}

impl ControlLink {
    /// Asks for a role. None when no control plane is connected, or it does not answer `within` the time: it may then
    /// have been granted all the same.
    pub async fn hold(&self, request: HoldRequest, within: Duration) -> Option<Held> {
        let mut client = RoleClient::new(self.channel()?);
        match tokio::time::timeout(within, client.hold(request)).await {
            Ok(Ok(answer)) => {
                let answer = answer.into_inner();
                Some(Held {
                    held: answer.held,
                    holder: answer.holder,
                    epoch: answer.epoch,
                    wanted_back: answer.wanted_back,
                })
            }
            Ok(Err(status)) => {
                tracing::debug!(%status, "the control plane did not say who serves");
                None
            }
            Err(_) => None,
        }
    }
}
