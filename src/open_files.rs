//! The limit of open files.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Shells set 1,024, which is one file for each of a few hundred clients and
/// their upstream connections; a gateway needs one for each of thousands. A refusal leaves the limit as it is.
pub fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
