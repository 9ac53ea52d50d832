//! Which node of an active-passive pair serves: a lease in the store, so that two never have it, whichever replica each
//! of them asks.

use super::{Context, caller::Caller, node_id};
use cliproxy_domain::{Fence, Lease, LeaseName};
use cliproxy_proto::v1::{HoldRequest, HoldResponse, role_server::Role};
use cliproxy_store::StoreError;
use std::time::Duration;
use tonic::{Request, Response, Status};

/// How long a role may be held without being renewed: a node that dies is missed for as long.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest name of a pair, in bytes: room for any address.
const PAIR_BYTES: usize = 300;
/// For how long a backup takes the lease of those who wait, to see whether anybody has it: it is gone before anyone asks
/// again.
const GLANCE: Duration = Duration::from_millis(1);

/// Answers nodes that ask for a role.
pub(crate) struct RoleService(Context);

impl RoleService {
    pub(crate) fn new(context: Context) -> Self {
        Self(context)
    }
}

#[tonic::async_trait]
impl Role for RoleService {
    async fn hold(&self, request: Request<HoldRequest>) -> Result<Response<HoldResponse>, Status> {
        let caller = Caller::of(&request);
        let request = request.into_inner();
        let node = node_id(&request.node_id)?;
        caller.speaks_for(&node, &self.0.metrics)?;
        let node = node.to_string();
        let ttl = Duration::from_millis(request.ttl_ms);
        if request.pair.is_empty() || request.pair.len() > PAIR_BYTES {
            return Err(Status::invalid_argument(format!(
                "pair has {} bytes; it must have 1 to {PAIR_BYTES}",
                request.pair.len()
            )));
        }
        if ttl.is_zero() || ttl > LONGEST {
            return Err(Status::invalid_argument(format!(
                "ttl_ms is {}; it must be 1 to {}",
                request.ttl_ms,
                LONGEST.as_millis()
            )));
        }
        self.answer(&request, node, ttl).await.map(Response::new).map_err(|error| {
            tracing::debug!(%error, pair = request.pair, "a node's role is not known");
            Status::unavailable(format!("the store did not say who holds the role: {error}"))
        })
    }
}

impl RoleService {
    async fn answer(
        &self,
        request: &HoldRequest,
        node: String,
        ttl: Duration,
    ) -> Result<HoldResponse, StoreError> {
        let store = &self.0.state.store;
        let (role, waiting) = (LeaseName::active(&request.pair), waiting(&request.pair));
        let lease = store.lead(role.clone(), node.clone(), ttl).await?;
        let held = lease.holder == node;
        if held && request.release {
            store.resign(fence(role, &lease)).await?;
            tracing::info!(%node, pair = request.pair, "a node gave up the role of a pair");
            return Ok(HoldResponse { epoch: lease.epoch, ..HoldResponse::default() });
        }
        let mut wanted_back = false;
        if request.primary && request.wants_back && !held {
            // It ends by itself once the primary has the role and asks no more.
            store.lead(waiting, node, ttl).await?;
        } else if held && !request.primary {
            wanted_back = store.lead(waiting, node.clone(), GLANCE).await?.holder != node;
        }
        Ok(HoldResponse { held, holder: lease.holder, epoch: lease.epoch, wanted_back })
    }
}

/// Names the lease of a primary that waits to get its role back.
fn waiting(pair: &str) -> LeaseName {
    LeaseName(format!("waiting:{pair}"))
}

fn fence(lease: LeaseName, held: &Lease) -> Fence {
    Fence { lease, holder: held.holder.clone(), epoch: held.epoch }
}
