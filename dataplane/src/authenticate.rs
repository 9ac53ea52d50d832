//! Decides whether a caller is served at all.
//!
//! Named clients with keys of their own come with their issue. Until then the gateway serves callers on its own
//! machine, and everyone where the operator says so; the key that a client sends is never passed on.

use crate::refusal::Refusal;
use cliproxy_domain::ErrorClass;
use cliproxy_host::Peer;

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Serves callers that are not on this machine.
    pub allow_anonymous: bool,
}

/// A caller that is served.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The other end of its connection.
    pub peer: Peer,
}

/// Admits a caller.
///
/// # Errors
/// 403 for a caller on another machine unless anonymous callers are allowed.
pub fn authenticate(admission: Admission, peer: Peer) -> Result<Caller, Refusal> {
    if admission.allow_anonymous || peer.is_loopback() {
        return Ok(Caller { peer });
    }
    Err(Refusal::new(
        ErrorClass::Permission,
        "this gateway serves only callers on its own machine; to serve others, set server.allow_anonymous: true",
    )
    .with_code("anonymous_not_allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(allow_anonymous: bool, address: &str) -> bool {
        authenticate(Admission { allow_anonymous }, Peer { address: address.parse().unwrap() }).is_ok()
    }

    #[test]
    fn without_clients_only_callers_on_this_machine_are_served() {
        assert!(admitted(false, "127.0.0.1:1"));
        assert!(admitted(false, "[::1]:1"));
        assert!(admitted(false, "[::ffff:127.0.0.1]:1"));
        assert!(!admitted(false, "192.0.2.1:1"));
        assert!(admitted(true, "192.0.2.1:1"));
    }
}
