//! What was changed, by whom, and why.

use crate::{name::ProviderName, time::WallTime};
use serde::{Deserialize, Serialize};

/// Who the control plane is in the audit log.
pub const SYSTEM: &str = "system";

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Unique, ordered by time (UUID v7).
    pub id: String,
    /// When.
    pub at: WallTime,
    /// Who: the name of an admin token, `loopback` for a caller without one, `file` for the configuration file, or
    /// [`SYSTEM`].
    pub actor: String,
    /// From where: the caller's address, or the node that reported it; empty for the control plane itself.
    pub from: String,
    /// What: a word of a closed set, as `cooldown_started`, `cooldown_forced`, `recovered`, `health_changed`,
    /// `alert`, `config_applied`.
    pub action: String,
    /// The provider that it is about, when it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    /// What it is about, as `claude/main`.
    pub subject: String,
    /// Why, for people.
    pub reason: String,
    /// What was before, as JSON; empty when there was nothing.
    pub before: String,
    /// What is now, as JSON.
    pub after: String,
}

/// Which entries are asked for: the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only of this provider.
    pub provider: Option<ProviderName>,
    /// Only of this action.
    pub action: Option<String>,
    /// Only older than this.
    pub before: Option<WallTime>,
    /// So many at most.
    pub limit: u32,
}

impl Default for AuditQuery {
    fn default() -> Self {
        Self { provider: None, action: None, before: None, limit: 100 }
    }
}
