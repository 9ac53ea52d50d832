//! Why a call is not answered.

use cliproxy_domain::operate::OrderError;
use cliproxy_store::StoreError;

/// Why a call is not answered, in the caller's words.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperationError {
    /// What is asked for means nothing, or names what is not there.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// What is asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// What is asked for is wrong.
    #[error("{0}")]
    Invalid(String),
    /// What is asked for does not fit what is.
    #[error("{0}")]
    Superseded(String),
    /// Another call has the same name.
    #[error("{0}")]
    Conflict(String),
    /// What is needed to answer is not to be had.
    #[error("{0}")]
    Internal(String),
    /// No configuration is in force.
    #[error("no configuration was applied yet; start the control plane with one and ask again")]
    NotConfigured,
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The classes that REST and gRPC tell errors in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 400, `INVALID_ARGUMENT`.
    Invalid,
    /// 404, `NOT_FOUND`.
    NotFound,
    /// 409, `ALREADY_EXISTS`.
    Conflict,
    /// 409, `FAILED_PRECONDITION`.
    Superseded,
    /// 503, `UNAVAILABLE`: something else than the store.
    Internal,
    /// 503, `UNAVAILABLE`: no configuration.
    NotConfigured,
    /// 503, `UNAVAILABLE`: the store.
    Store,
}

impl OperationError {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            OperationError::Order(OrderError::UnknownProvider { .. } | OrderError::UnknownClient { .. })
            | OperationError::NotFound(_) => Kind::NotFound,
            OperationError::Order(_) | OperationError::Invalid(_) => Kind::Invalid,
            OperationError::Superseded(_) => Kind::Superseded,
            OperationError::Conflict(_) => Kind::Conflict,
            OperationError::Internal(_) => Kind::Internal,
            OperationError::NotConfigured => Kind::NotConfigured,
            OperationError::Store(_) => Kind::Store,
        }
    }
}
