//! What a node answers by itself: from what it knows, while no control plane can be asked.

mod balancing;
mod change;
mod cooldowns;
mod explain;
mod providers;
mod quotas;

pub(super) use change::Remembered;

use super::{
    Ops,
    answer::{Answer, ApiError, document},
    path::{Operation, parameters},
};
use bytes::Bytes;
use cliproxy_domain::{
    RequestRecord,
    status::{RequestStatus, Source},
};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

/// Who asks, and with what.
pub(super) struct Asked<'a> {
    /// The name of his token, or `loopback`.
    pub(super) actor: &'a str,
    /// His address.
    pub(super) from: String,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: Bytes,
}

/// What is said of a request that is not kept.
const NOT_KEPT: &str = "nothing is kept of this request; a node keeps the newest 10,000 of all that failed and of one in \
                        a hundred others, until it restarts, and none that was refused for its key or for the lack of one";

/// Shows what is kept of a request that this node served; none when nothing is.
pub(super) fn request(ops: &Ops, id: &str) -> Option<Answer> {
    let record = ops.records.find(id)?;
    let request = RequestRecord::clone(&record);
    Some(shown(&RequestStatus { source: Source::Node, as_of: ops.clock.wall(), request }))
}

/// Answers as well as this node can by itself.
pub(super) fn answer(ops: &Ops, operation: &Operation, asked: &Asked<'_>) -> Result<Answer, ApiError> {
    match operation {
        Operation::Providers => no_parameters(asked).map(|()| shown(&providers::status(ops))),
        Operation::Cooldowns => no_parameters(asked).map(|()| shown(&cooldowns::status(ops))),
        Operation::LoadBalancing => no_parameters(asked).map(|()| shown(&balancing::status(ops))),
        Operation::Quotas => no_parameters(asked).map(|()| shown(&quotas::status(ops))),
        Operation::Failover => no_parameters(asked).map(|()| shown(&ops.failover.shown())),
        Operation::Explain => Ok(shown(&explain::explanation(ops, &query(asked)?)?)),
        Operation::Change(verb, provider) if ops.link.is_alone() => {
            no_parameters(asked)?;
            Ok(shown(&change::change(ops, *verb, provider, asked)?))
        }
        Operation::Request(_) if ops.link.is_alone() => {
            no_parameters(asked)?;
            Err(ApiError::not_found(NOT_KEPT))
        }
        Operation::Request(_)
        | Operation::Change(..)
        | Operation::KeyChange(_)
        | Operation::Cluster { .. } => Err(unable(ops, operation)),
    }
}

/// Says why this node cannot answer, and where to ask instead.
fn unable(ops: &Ops, operation: &Operation) -> ApiError {
    let message = if ops.link.is_alone() {
        "this node runs alone, and only a control plane keeps that; run `cliproxy serve`, or set \
         control_plane.endpoints"
            .to_owned()
    } else {
        let state = ops.link.describe(ops.clock.now());
        // It may have been heard, and said once more it would be another word.
        let first = match operation {
            Operation::Change(..) => {
                "; it may have taken this word: see GET /v0/operations/cooldown/status first"
            }
            Operation::KeyChange(_) => "; it may have done it: see GET /v0/operations/clients first",
            _ => "",
        };
        format!(
            "the control plane does not answer this node (its connection is {state}); ask the control plane itself, \
             on control_plane.listen (8318), or another node, or try again{first}"
        )
    };
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "control_plane_unavailable", message)
}

fn shown(answer: &impl Serialize) -> Answer {
    document(StatusCode::OK, answer)
}

fn query(asked: &Asked<'_>) -> Result<Vec<(String, String)>, ApiError> {
    parameters(asked.query).ok_or_else(|| {
        ApiError::invalid("the query does not decode as UTF-8; write it as name=value&name=value")
    })
}

fn no_parameters(asked: &Asked<'_>) -> Result<(), ApiError> {
    cliproxy_domain::operate::single(&query(asked)?, &[])?;
    Ok(())
}
