//! What is kept of one request.

use super::{OperationError, Operations};
use cliproxy_domain::{
    RequestRecord,
    status::{RequestStatus, Source},
};
use cliproxy_store::StoreError;

/// How much of an id that was not found is shown.
const SHOWN: usize = 100;

impl Operations {
    /// Tells what is kept of a request.
    ///
    /// # Errors
    /// Fails when nothing is kept of it, and when the store does not answer.
    pub(crate) async fn request_status(&self, id: &str) -> Result<RequestStatus, OperationError> {
        let Some(body) = self.state.store.request(id.to_owned()).await? else {
            let shown: String = id.chars().take(SHOWN).collect();
            return Err(OperationError::NotFound(format!(
                "nothing is kept of a request {shown:?}; kept are all that failed and a sample of the others, for 24 h, \
                 under the id in x-request-id, and none that was refused for its key or for the lack of one"
            )));
        };
        let request: RequestRecord = serde_json::from_str(&body).map_err(|error| {
            StoreError::Corrupt(format!("the record of request {id:?} does not parse: {error}"))
        })?;
        Ok(RequestStatus { source: Source::Cluster, as_of: self.state.clock.wall(), request })
    }
}
