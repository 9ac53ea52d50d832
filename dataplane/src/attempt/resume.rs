//! Going on with an answer that its provider gives in parts.

use super::{prepared::Prepared, try_once};
use crate::{decode::Call, upstream::Place};
use cliproxy_dialects::translate::continued;
use cliproxy_domain::{AttemptError, Failure};
use cliproxy_host::Clock;
use http::{Response, header};
use hyper::body::Incoming;
use std::{future::Future, pin::Pin, sync::Arc};

/// Makes the calls for the later parts of one answer.
pub(super) struct Resumer {
    call: Arc<Call>,
    prepared: Prepared,
    clock: Arc<dyn Clock>,
}

/// The next part, when it begins.
pub(super) type NextPart = Pin<Box<dyn Future<Output = Result<(Incoming, Place), AttemptError>> + Send>>;

impl Resumer {
    pub(super) fn new(call: &Arc<Call>, prepared: &Prepared, clock: &Arc<dyn Clock>) -> Self {
        Self { call: Arc::clone(call), prepared: prepared.clone(), clock: Arc::clone(clock) }
    }

    /// Gives the size of the request, for estimates of its tokens.
    pub(super) fn request_bytes(&self) -> usize {
        self.call.prompt_bytes()
    }

    /// Asks for the part after `token`, as a stream.
    pub(super) fn next_stream(&self, token: &str) -> NextPart {
        let prepared = self.after(token);
        let (call, clock) = (Arc::clone(&self.call), Arc::clone(&self.clock));
        Box::pin(async move {
            let (response, place) =
                try_once::ask(&call, &prepared, None, &clock).await.map_err(|f| f.error)?;
            let kind = response.headers().get(header::CONTENT_TYPE);
            if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json")) {
                let message = "the provider went on in another form than the one that was asked for";
                return Err(AttemptError::new(Failure::MalformedReply, message));
            }
            Ok((response.into_body(), place))
        })
    }

    fn after(&self, token: &str) -> Prepared {
        let mut prepared = self.prepared.clone();
        prepared.edit(|body| continued(body, token).into());
        prepared
    }
}

/// Asks for the part after `token`, whole.
pub(super) async fn next_whole(
    call: &Call,
    prepared: &Prepared,
    token: &str,
    clock: &Arc<dyn Clock>,
) -> Result<(Response<Incoming>, Place), super::Failed> {
    let mut prepared = prepared.clone();
    prepared.edit(|body| continued(body, token).into());
    try_once::ask(call, &prepared, None, clock).await
}
