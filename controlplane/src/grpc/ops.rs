//! The operations calls.

use crate::state::State;
use cliproxy_proto::{
    convert::status::{load_balancing_to_wire, providers_to_wire},
    v1::{
        GetLoadBalancingStatusRequest, GetLoadBalancingStatusResponse, GetProviderStatusRequest,
        GetProviderStatusResponse, operations_server::Operations,
    },
};
use std::sync::Arc;
use tonic::{Request, Response, Status};

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
}
