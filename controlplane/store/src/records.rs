//! What is kept for people: checks and requests.

use cliproxy_domain::{ProviderName, WallTime};

/// How many checks of a provider were made within a minute, and how many it passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckCount {
    /// When the minute begins.
    pub minute: WallTime,
    /// The provider.
    pub provider: ProviderName,
    /// All checks.
    pub checks: u64,
    /// Those that it passed.
    pub passed: u64,
}

/// The record of one request, as text that only people and programs outside read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRequest {
    /// The request's id.
    pub id: String,
    /// When it came.
    pub at: WallTime,
    /// The record.
    pub body: String,
}
