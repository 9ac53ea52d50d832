//! The gRPC services: wire to domain and back, the life of each stream, and nothing else.

mod caller;
mod ops;
mod quota;
mod relay;
mod role;
mod sync;
mod telemetry;

pub(crate) use ops::OpsService;
pub(crate) use quota::QuotaService;
pub(crate) use relay::RelayService;
pub(crate) use role::RoleService;
pub(crate) use sync::{Admission, Sessions, SyncService, leave, shed};
pub(crate) use telemetry::TelemetryService;

use crate::{
    decide::Decide, grant::Grants, ingest::Ingest, metrics::PlaneMetrics, operations::Operations,
    publish::Publish, state::State,
};
use cliproxy_host::Entropy;
use cliproxy_proto::{FILE_DESCRIPTOR_SET, v1};
use std::{sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Status, service::Routes};
use tonic_health::{ServingStatus, server::HealthReporter};

/// How long a node may take to say hello on a stream that it opened.
const HELLO: Duration = Duration::from_secs(5);
/// The longest name of a node, in bytes: that of a DNS name.
const NODE_NAME_BYTES: usize = 253;

/// What the streams need of the rest.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) state: Arc<State>,
    pub(crate) publish: Arc<Publish>,
    pub(crate) ingest: Ingest,
    pub(crate) grants: Grants,
    pub(crate) decide: Decide,
    pub(crate) metrics: PlaneMetrics,
    pub(crate) cp_id: Arc<str>,
    /// The nodes' streams that are open.
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) admission: Admission,
    pub(crate) entropy: Entropy,
    /// How long a node's stream lasts, give or take a tenth.
    pub(crate) max_connection_age: Duration,
    /// No more nodes are taken when this is cancelled.
    pub(crate) leaving: CancellationToken,
    /// Streams end when this is cancelled.
    pub(crate) closing: CancellationToken,
    /// Every stream's task.
    pub(crate) streams: TaskTracker,
}

impl Context {
    /// Waits until every stream that is open when this is called has to end, and says why: the process ends, or the
    /// store has another history.
    pub(crate) fn over(&self) -> impl Future<Output = Status> + use<> {
        let (closes, era) = (self.closing.clone(), self.state.era());
        async move {
            tokio::select! {
                biased;
                () = closes.cancelled() => closing(),
                () = era.over.cancelled() => Status::aborted(
                    "the store of this control plane has another history now; connect again and resume",
                ),
            }
        }
    }
}

/// Makes the services for nodes: state, ledger and events, limits, the relay of operators' calls to `rest`, roles of pairs, health. No
/// reflection: a node knows the contract. No operations in gRPC: nobody checks there who asks.
pub(crate) fn for_nodes(context: &Context, rest: axum::Router, health: HealthReporter) -> Routes {
    Routes::default()
        .add_service(v1::sync_server::SyncServer::new(SyncService::new(context.clone())))
        .add_service(v1::telemetry_server::TelemetryServer::new(TelemetryService::new(context.clone())))
        .add_service(v1::quota_server::QuotaServer::new(QuotaService::new(context.clone())))
        .add_service(v1::relay_server::RelayServer::new(RelayService::new(rest)))
        .add_service(v1::role_server::RoleServer::new(RoleService::new(context.clone())))
        .add_service(health_server(health))
}

/// Makes the services for operators: operations, health, and reflection in both versions, as older tools speak
/// v1alpha alone.
pub(crate) fn for_operators(operations: Operations, health: HealthReporter) -> Routes {
    let routes = Routes::default()
        .add_service(v1::operations_server::OperationsServer::new(OpsService::new(operations)))
        .add_service(health_server(health));
    let v1 = reflection().build_v1().map(|reflection| routes.clone().add_service(reflection));
    let routes = v1.unwrap_or_else(|error| without_reflection(routes, &error));
    let v1alpha = reflection().build_v1alpha().map(|reflection| routes.clone().add_service(reflection));
    v1alpha.unwrap_or_else(|error| without_reflection(routes, &error))
}

/// Describes all messages, and lists the services that operators can call here: not those for nodes.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    let described = [
        FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let listed = [
        v1::operations_server::SERVICE_NAME,
        tonic_health::pb::health_server::SERVICE_NAME,
        tonic_reflection::pb::v1::server_reflection_server::SERVICE_NAME,
        tonic_reflection::pb::v1alpha::server_reflection_server::SERVICE_NAME,
    ];
    let empty = tonic_reflection::server::Builder::configure().include_reflection_service(false);
    let builder = described.into_iter().fold(empty, |b, set| b.register_encoded_file_descriptor_set(set));
    listed.into_iter().fold(builder, |b, name| b.with_service_name(name))
}

/// The descriptors are compiled in, so this does not happen; were it to, operators would miss a convenience.
fn without_reflection(routes: Routes, error: &tonic_reflection::server::Error) -> Routes {
    tracing::error!(%error, "reflection is off: the compiled descriptors do not decode");
    routes
}

fn health_server(
    health: HealthReporter,
) -> tonic_health::pb::health_server::HealthServer<tonic_health::server::HealthService> {
    let service = tonic_health::server::HealthService::from_health_reporter(health);
    tonic_health::pb::health_server::HealthServer::new(service)
}

/// Tells `grpc.health.v1` whether this replica serves, for it as a whole and for each service.
pub(crate) async fn set_health(reporter: &HealthReporter, serving: bool) {
    let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
    let services = [
        "",
        v1::sync_server::SERVICE_NAME,
        v1::telemetry_server::SERVICE_NAME,
        v1::quota_server::SERVICE_NAME,
        v1::operations_server::SERVICE_NAME,
        v1::relay_server::SERVICE_NAME,
        v1::role_server::SERVICE_NAME,
    ];
    for service in services {
        reporter.set_service_status(service, status).await;
    }
}

/// Takes a node's name from its hello.
fn node_id(name: &str) -> Result<cliproxy_domain::NodeId, Status> {
    if name.is_empty() || name.len() > NODE_NAME_BYTES {
        return Err(Status::invalid_argument(format!(
            "node_id has {} bytes; it must have 1 to {NODE_NAME_BYTES}",
            name.len()
        )));
    }
    Ok(name.into())
}

/// Says that this replica is going and the node should look for another.
fn closing() -> Status {
    Status::unavailable("this control plane is shutting down; connect to another")
}
