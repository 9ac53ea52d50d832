//! The parameters of a query.

use super::error::ApiError;
use crate::operations::OperationError;
use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use cliproxy_domain::operate::single;

/// The parameters of a query, decoded, in their order.
pub(super) struct Parameters(pub(super) Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(error) => Err(ApiError::invalid(format!(
                "the query does not decode ({error}); write it as name=value&name=value"
            ))),
        }
    }
}

/// That there are no parameters.
pub(super) struct NoParameters;

impl<S: Sync> FromRequestParts<S> for NoParameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Parameters(parameters) = Parameters::from_request_parts(parts, state).await?;
        single(&parameters, &[]).map_err(OperationError::from)?;
        Ok(Self)
    }
}
