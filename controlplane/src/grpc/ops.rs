//! The operations calls.

use crate::state::State;
use cliproxy_proto::{
    convert::status::{load_balancing_to_wire, providers_to_wire},
    v1::{
        self, GetLoadBalancingStatusRequest, GetLoadBalancingStatusResponse, GetProviderStatusRequest,
        GetProviderStatusResponse, operations_server::Operations,
    },
};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// What the calls say that are not served yet.
const NOT_YET: &str = "this call is not served yet";

/// Answers operators and nodes.
pub(crate) struct OpsService(Arc<State>);

impl OpsService {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self(state)
    }
}

#[tonic::async_trait]
impl Operations for OpsService {
    async fn get_provider_status(
        &self,
        _: Request<GetProviderStatusRequest>,
    ) -> Result<Response<GetProviderStatusResponse>, Status> {
        let status = self.0.providers_status().await;
        status
            .map(|status| Response::new(providers_to_wire(&status)))
            .map_err(|error| Status::unavailable(error.to_string()))
    }

    async fn get_load_balancing_status(
        &self,
        _: Request<GetLoadBalancingStatusRequest>,
    ) -> Result<Response<GetLoadBalancingStatusResponse>, Status> {
        Ok(Response::new(load_balancing_to_wire(&self.0.load_balancing_status())))
    }

    async fn list_cooldowns(
        &self,
        _: Request<v1::ListCooldownsRequest>,
    ) -> Result<Response<v1::ListCooldownsResponse>, Status> {
        Err(Status::unimplemented(NOT_YET))
    }

    async fn force_cooldown(
        &self,
        _: Request<v1::ForceCooldownRequest>,
    ) -> Result<Response<v1::ChangeStatus>, Status> {
        Err(Status::unimplemented(NOT_YET))
    }

    async fn recover(&self, _: Request<v1::RecoverRequest>) -> Result<Response<v1::ChangeStatus>, Status> {
        Err(Status::unimplemented(NOT_YET))
    }

    async fn explain_route(
        &self,
        _: Request<v1::ExplainRouteRequest>,
    ) -> Result<Response<v1::ExplainRouteResponse>, Status> {
        Err(Status::unimplemented(NOT_YET))
    }

    async fn get_request(
        &self,
        _: Request<v1::GetRequestRequest>,
    ) -> Result<Response<v1::GetRequestResponse>, Status> {
        Err(Status::unimplemented(NOT_YET))
    }

    async fn list_nodes(
        &self,
        _: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        Err(Status::unimplemented(NOT_YET))
    }

    async fn list_quotas(
        &self,
        _: Request<v1::ListQuotasRequest>,
    ) -> Result<Response<v1::ListQuotasResponse>, Status> {
        Err(Status::unimplemented(NOT_YET))
    }

    async fn list_alerts(
        &self,
        _: Request<v1::ListAlertsRequest>,
    ) -> Result<Response<v1::ListAlertsResponse>, Status> {
        Err(Status::unimplemented(NOT_YET))
    }

    async fn list_audit(
        &self,
        _: Request<v1::ListAuditRequest>,
    ) -> Result<Response<v1::ListAuditResponse>, Status> {
        Err(Status::unimplemented(NOT_YET))
    }
}
