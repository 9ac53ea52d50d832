//! The operations calls: the answers of [`crate::operations`] as messages.

use crate::operations::{Actor, ChangeAsked, Kind, OperationError, Operations, RollbackAsked, USUAL_CONFIGS};
use cliproxy_domain::operate::{KeyVerb, Verb};
use cliproxy_proto::{
    convert::status as wire,
    v1::{self, operations_server},
};
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

/// Answers operators.
pub(crate) struct OpsService(Operations);

impl OpsService {
    pub(crate) fn new(operations: Operations) -> Self {
        Self(operations)
    }
}

#[tonic::async_trait]
impl operations_server::Operations for OpsService {
    async fn get_provider_status(
        &self,
        _: Request<v1::GetProviderStatusRequest>,
    ) -> Answer<v1::GetProviderStatusResponse> {
        let status = self.0.providers_status().await.map_err(status)?;
        Ok(Response::new(wire::providers_to_wire(&status)))
    }

    async fn list_cooldowns(
        &self,
        request: Request<v1::ListCooldownsRequest>,
    ) -> Answer<v1::ListCooldownsResponse> {
        let provider = request.into_inner().provider;
        let cooldowns = self.0.cooldown_status(provider.as_deref()).await.map_err(status)?;
        Ok(Response::new(wire::cooldowns_to_wire(&cooldowns)))
    }

    async fn force_cooldown(&self, request: Request<v1::ForceCooldownRequest>) -> Answer<v1::ChangeStatus> {
        let actor = actor(&request)?;
        let (provider, wanted) = wire::force_from_wire(request.into_inner()).map_err(refused)?;
        let change = self.0.change(&actor, Verb::Cooldown, &provider, wanted).await.map_err(status)?;
        Ok(Response::new(wire::change_to_wire(&change)))
    }

    async fn recover(&self, request: Request<v1::RecoverRequest>) -> Answer<v1::ChangeStatus> {
        let actor = actor(&request)?;
        let (provider, wanted) = wire::recover_from_wire(request.into_inner()).map_err(refused)?;
        let change = self.0.change(&actor, Verb::Recover, &provider, wanted).await.map_err(status)?;
        Ok(Response::new(wire::change_to_wire(&change)))
    }

    async fn get_load_balancing_status(
        &self,
        _: Request<v1::GetLoadBalancingStatusRequest>,
    ) -> Answer<v1::GetLoadBalancingStatusResponse> {
        Ok(Response::new(wire::load_balancing_to_wire(&self.0.load_balancing_status())))
    }

    async fn explain_route(
        &self,
        request: Request<v1::ExplainRouteRequest>,
    ) -> Answer<v1::ExplainRouteResponse> {
        let question = wire::question_from_wire(request.into_inner()).map_err(refused)?;
        let explanation = self.0.explanation(&question).map_err(status)?;
        Ok(Response::new(wire::explanation_to_wire(&explanation)))
    }

    async fn get_request(&self, request: Request<v1::GetRequestRequest>) -> Answer<v1::GetRequestResponse> {
        let kept = self.0.request_status(&request.into_inner().id).await.map_err(status)?;
        Ok(Response::new(wire::request_to_wire(&kept)))
    }

    async fn list_nodes(&self, _: Request<v1::ListNodesRequest>) -> Answer<v1::ListNodesResponse> {
        Ok(Response::new(wire::nodes_to_wire(&self.0.nodes_status())))
    }

    async fn list_quotas(&self, _: Request<v1::ListQuotasRequest>) -> Answer<v1::ListQuotasResponse> {
        Ok(Response::new(wire::quotas_to_wire(&self.0.quotas_status().await)))
    }

    async fn get_usage(&self, request: Request<v1::GetUsageRequest>) -> Answer<v1::GetUsageResponse> {
        let asked = wire::usage_asked_from_wire(request.into_inner()).map_err(refused)?;
        Ok(Response::new(wire::usage_to_wire(&self.0.usage_status(asked).await.map_err(status)?)))
    }

    async fn list_prices(&self, _: Request<v1::ListPricesRequest>) -> Answer<v1::ListPricesResponse> {
        Ok(Response::new(wire::prices_to_wire(&self.0.prices_status().map_err(status)?)))
    }

    async fn list_alerts(&self, _: Request<v1::ListAlertsRequest>) -> Answer<v1::ListAlertsResponse> {
        Ok(Response::new(wire::alerts_to_wire(&self.0.alerts_status())))
    }

    async fn list_audit(&self, request: Request<v1::ListAuditRequest>) -> Answer<v1::ListAuditResponse> {
        let query = wire::audit_query_from_wire(request.into_inner());
        let log = self.0.audit_log(query).await.map_err(status)?;
        Ok(Response::new(wire::audit_to_wire(&log)))
    }

    async fn release_quota(
        &self,
        request: Request<v1::ReleaseQuotaRequest>,
    ) -> Answer<v1::ReleaseQuotaResponse> {
        let actor = actor(&request)?;
        let asked = wire::release_from_wire(request.into_inner()).map_err(refused)?;
        Ok(Response::new(wire::release_to_wire(&self.0.release_quota(&actor, asked).await.map_err(status)?)))
    }

    async fn list_clients(&self, _: Request<v1::ListClientsRequest>) -> Answer<v1::ListClientsResponse> {
        Ok(Response::new(wire::clients_to_wire(&self.0.clients_status().await.map_err(status)?)))
    }

    async fn list_client_keys(
        &self,
        request: Request<v1::ListClientKeysRequest>,
    ) -> Answer<v1::ListClientKeysResponse> {
        let keys = self.0.client_keys(&request.into_inner().client).map_err(status)?;
        Ok(Response::new(wire::client_keys_to_wire(&keys)))
    }

    async fn create_client_key(
        &self,
        request: Request<v1::CreateClientKeyRequest>,
    ) -> Answer<v1::ClientKeyChange> {
        let actor = actor(&request)?;
        let (client, wanted) = wire::create_key_from_wire(request.into_inner()).map_err(refused)?;
        let changed = self.0.change_key(&actor, KeyVerb::Create, (&client, None), wanted).await;
        Ok(Response::new(wire::key_change_to_wire(&changed.map_err(status)?)))
    }

    async fn rotate_client_key(
        &self,
        request: Request<v1::RotateClientKeyRequest>,
    ) -> Answer<v1::ClientKeyChange> {
        let actor = actor(&request)?;
        let (client, id, wanted) = wire::rotate_key_from_wire(request.into_inner()).map_err(refused)?;
        let changed = self.0.change_key(&actor, KeyVerb::Rotate, (&client, Some(&id)), wanted).await;
        Ok(Response::new(wire::key_change_to_wire(&changed.map_err(status)?)))
    }

    async fn revoke_client_key(
        &self,
        request: Request<v1::RevokeClientKeyRequest>,
    ) -> Answer<v1::ClientKeyChange> {
        let actor = actor(&request)?;
        let (client, id, wanted) = wire::revoke_key_from_wire(request.into_inner()).map_err(refused)?;
        let changed = self.0.change_key(&actor, KeyVerb::Revoke, (&client, Some(&id)), wanted).await;
        Ok(Response::new(wire::key_change_to_wire(&changed.map_err(status)?)))
    }

    async fn get_config(&self, _: Request<v1::GetConfigRequest>) -> Answer<v1::GetConfigResponse> {
        Ok(Response::new(wire::config_to_wire(&self.0.config().await.map_err(status)?)))
    }

    async fn apply_config(&self, request: Request<v1::ApplyConfigRequest>) -> Answer<v1::ConfigApplied> {
        let actor = actor(&request)?;
        let v1::ApplyConfigRequest { text, expected, reason } = request.into_inner();
        let asked = ChangeAsked::new(expected, reason).map_err(refused)?;
        let applied = self.0.apply_config(&actor, text, asked).await.map_err(status)?;
        Ok(Response::new(wire::applied_to_wire(&applied)))
    }

    async fn dry_run_config(
        &self,
        request: Request<v1::DryRunConfigRequest>,
    ) -> Answer<v1::DryRunConfigResponse> {
        let check = self.0.check_config(request.into_inner().text).await.map_err(status)?;
        Ok(Response::new(wire::check_to_wire(&check)))
    }

    async fn list_configs(
        &self,
        request: Request<v1::ListConfigsRequest>,
    ) -> Answer<v1::ListConfigsResponse> {
        let limit = request.into_inner().limit.unwrap_or(USUAL_CONFIGS);
        let history = self.0.config_history(limit).await.map_err(status)?;
        Ok(Response::new(wire::configs_to_wire(&history)))
    }

    async fn rollback_config(
        &self,
        request: Request<v1::RollbackConfigRequest>,
    ) -> Answer<v1::ConfigApplied> {
        let actor = actor(&request)?;
        let v1::RollbackConfigRequest { config, reason } = request.into_inner();
        let asked = RollbackAsked::new(config, reason).map_err(refused)?;
        let applied = self.0.roll_back_config(&actor, asked).await.map_err(status)?;
        Ok(Response::new(wire::applied_to_wire(&applied)))
    }
}

/// Gives who asks. Access is checked before any call comes here, so that somebody always does.
fn actor<T>(request: &Request<T>) -> Result<Actor, Status> {
    let actor = request.extensions().get::<Actor>();
    actor
        .cloned()
        .ok_or_else(|| Status::permission_denied("nobody said who asks; use the operators' listener"))
}

fn refused(error: impl Into<OperationError>) -> Status {
    status(error.into())
}

fn status(error: OperationError) -> Status {
    let message = error.to_string();
    match error.kind() {
        Kind::Invalid => Status::invalid_argument(message),
        Kind::NotFound => Status::not_found(message),
        Kind::Conflict => Status::already_exists(message),
        Kind::Superseded => Status::failed_precondition(message),
        Kind::Internal | Kind::NotConfigured | Kind::Store => Status::unavailable(message),
    }
}
