//! How a node presents itself, and what it already has.

use super::super::{HELLO, node_id};
use cliproxy_domain::{ConfigId, HintVersion, HistoryId, Incarnation, NodeId};
use cliproxy_proto::{
    VERSION,
    v1::{Hello, SyncUp, sync_up},
};
use std::time::Duration;
use tonic::{Status, Streaming};

/// A node's hello.
pub(super) struct Presented {
    pub(super) node: NodeId,
    pub(super) incarnation: Incarnation,
    pub(super) build: String,
    pub(super) listen: String,
    pub(super) history: HistoryId,
    pub(super) have_config: ConfigId,
    pub(super) config_hash: u64,
    pub(super) have_hints: HintVersion,
    /// A configuration of this history that the node died of; 0: none.
    pub(super) died_of: ConfigId,
    /// In how long it takes that one again; `None`: it does not say.
    pub(super) again_in: Option<Duration>,
}

/// Waits for a node's first message.
pub(super) async fn receive(up: &mut Streaming<SyncUp>) -> Result<Presented, Status> {
    let first = tokio::time::timeout(HELLO, up.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no hello came within 5 s of opening the stream"))??;
    let Some(sync_up::Message::Hello(hello)) = first.and_then(|first| first.message) else {
        return Err(Status::failed_precondition("the first message must be hello"));
    };
    let Hello {
        node_id: name,
        incarnation,
        build,
        history_id,
        have_config,
        config_hash,
        have_hints,
        listen,
        crash_looped_config,
        crash_looped_again_ms,
        proto_min,
        proto_max,
    } = hello;
    // Before there were versions there was the first.
    if proto_min.max(1) > VERSION || proto_max.max(1) < VERSION {
        return Err(Status::failed_precondition(format!(
            "the node speaks versions {proto_min} to {proto_max} of this contract, and the control plane version {VERSION}; upgrade whichever is older"
        )));
    }
    Ok(Presented {
        node: node_id(&name)?,
        incarnation: Incarnation(incarnation),
        build: short(build),
        listen: short(listen),
        history: HistoryId(history_id),
        have_config: ConfigId(have_config),
        config_hash,
        have_hints: HintVersion(have_hints),
        died_of: ConfigId(crash_looped_config),
        again_in: again(crash_looped_again_ms),
    })
}

/// Reads in how long a node takes what it refuses; 0 says nothing. No node waits for longer than a day.
pub(super) fn again(millis: u64) -> Option<Duration> {
    (millis > 0).then(|| Duration::from_millis(millis).min(Duration::from_secs(24 * 60 * 60)))
}

/// Cuts a text for people to what people read.
fn short(text: String) -> String {
    text.chars().take(200).collect()
}
