//! Observations: probes that ended, and requests that are kept for explaining.

use super::super::{Context, caller::Caller, node_id};
use cliproxy_domain::{NodeId, RequestRecord};
use cliproxy_proto::{convert::telemetry::probe_from_wire, v1, v1::ObserveRequest};
use cliproxy_store::StoredRequest;
use tonic::Status;

/// How many records of requests one call may carry.
const MAX_RECORDS: usize = 512;
/// How many probes one call may carry.
const MAX_PROBES: usize = 1_024;
/// The longest record, in bytes.
const MAX_RECORD_BYTES: usize = 64 * 1024;

/// Takes what one node observed.
pub(super) async fn take(context: &Context, caller: &Caller, request: ObserveRequest) -> Result<(), Status> {
    let node = node_id(&request.node_id)?;
    caller.speaks_for(&node, &context.metrics)?;
    if request.requests.len() > MAX_RECORDS {
        return Err(Status::invalid_argument(format!(
            "ObserveRequest.requests has {} records; send at most {MAX_RECORDS} in one call",
            request.requests.len()
        )));
    }
    if request.probes.len() > MAX_PROBES {
        return Err(Status::invalid_argument(format!(
            "ObserveRequest.probes has {} reports; send at most {MAX_PROBES} in one call",
            request.probes.len()
        )));
    }
    take_probes(context, &node, &request.probes);
    let mut records = Vec::with_capacity(request.requests.len());
    for body in &request.requests {
        match read(body) {
            Ok(record) => records.push(record),
            // Of a newer program, most likely; the others are as good as before.
            Err(error) => tracing::warn!(%node, error, "the record of a request means nothing here"),
        }
    }
    if records.is_empty() {
        return Ok(());
    }
    let recorded = context.state.store.record_requests(records, context.state.clock.wall()).await;
    recorded.map_err(|error| {
        context.metrics.store_errors.inc();
        Status::unavailable(error.to_string())
    })
}

fn take_probes(context: &Context, node: &NodeId, probes: &[v1::ProbeReport]) {
    let now = context.state.clock.wall();
    let heard = probes.iter().filter_map(|probe| match probe_from_wire(probe, node.clone()) {
        Ok(report) => {
            let at = now.minus(report.age);
            Some((report, at))
        }
        Err(error) => {
            tracing::warn!(%node, %error, "the report of a probe means nothing here");
            None
        }
    });
    context.state.probed(heard.collect());
}

fn read(body: &[u8]) -> Result<StoredRequest, String> {
    if body.len() > MAX_RECORD_BYTES {
        return Err(format!("it has {} bytes; {MAX_RECORD_BYTES} at most are kept", body.len()));
    }
    let record: RequestRecord = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    // As it was read: what this program does not know is not kept.
    let body = serde_json::to_string(&record).map_err(|error| error.to_string())?;
    Ok(StoredRequest { id: record.id, at: record.at, body })
}
