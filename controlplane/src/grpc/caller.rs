//! Whose connection a call came on. The certificate, not the message, says which node it is.

use crate::metrics::PlaneMetrics;
use cliproxy_domain::NodeId;
use cliproxy_host::{Presented, tls::Validity};
use std::sync::Arc;
use tonic::{Request, Status};

/// What the other side's certificate says; nothing where the connection is in the clear.
#[derive(Clone)]
pub(super) struct Caller(Option<Arc<Presented>>);

impl Caller {
    /// Takes it from what the listener put beside a call.
    pub(super) fn of<T>(request: &Request<T>) -> Self {
        Self(request.extensions().get::<Arc<Presented>>().cloned())
    }

    /// Gives from when to when its certificate holds.
    pub(super) fn validity(&self) -> Option<Validity> {
        self.0.as_ref().map(|presented| presented.validity)
    }

    /// Refuses a call that speaks for another node than its connection is of.
    pub(super) fn speaks_for(&self, node: &NodeId, metrics: &PlaneMetrics) -> Result<(), Status> {
        let Some(presented) = &self.0 else { return Ok(()) };
        if presented.identity.name() == node.as_str() {
            return Ok(());
        }
        metrics.impostors.inc();
        tracing::warn!(
            %node, certificate = %presented.identity,
            "a call speaks for another node than its certificate is of and is refused"
        );
        Err(Status::permission_denied(format!(
            "this connection's certificate is of {}; it cannot speak for node {node}",
            presented.identity
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::WallTime;
    use tonic::Code;

    fn caller(uri: &str) -> Caller {
        let validity = Validity { not_before: WallTime(0), not_after: WallTime(1) };
        let mut request = Request::new(());
        request
            .extensions_mut()
            .insert(Arc::new(Presented { identity: uri.parse().expect("a name"), validity }));
        Caller::of(&request)
    }

    #[test]
    fn a_node_speaks_for_itself_alone() {
        let (caller, metrics) = (caller("spiffe://test/cliproxy/dp/n1"), PlaneMetrics::new());
        assert!(caller.speaks_for(&"n1".into(), &metrics).is_ok());
        let refused = caller.speaks_for(&"n2".into(), &metrics).expect_err("another node");
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert_eq!(metrics.impostors.get(), 1);
    }

    #[test]
    fn in_the_clear_the_message_says_who_it_is() {
        let caller = Caller::of(&Request::new(()));
        assert!(caller.speaks_for(&"any".into(), &PlaneMetrics::new()).is_ok());
    }
}
