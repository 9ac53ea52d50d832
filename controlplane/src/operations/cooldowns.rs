//! What rests, and what did.

use super::{OperationError, Operations};
use cliproxy_domain::{
    AuditEntry, AuditQuery,
    operate::OrderError,
    status::{CooldownStatus, RestStatus, Source},
};
use cliproxy_engine::{Outlook, status::cooldowns};

/// The actions after which a rest was over: it was ended, or another one follows on it.
const ENDINGS: [&str; 4] = ["recovered", "cooldown_ended", "cooldown_started", "cooldown_forced"];
/// How many entries of each are looked at for the history.
const ENTRIES: u32 = 50;

impl Operations {
    /// Tells what rests of all providers, or of one.
    ///
    /// # Errors
    /// Fails when there is no such provider.
    pub(crate) async fn cooldown_status(
        &self,
        provider: Option<&str>,
    ) -> Result<CooldownStatus, OperationError> {
        let Some(active) = self.state.active() else {
            return match provider {
                Some(_) => Err(OperationError::NotConfigured),
                None => Ok(CooldownStatus { as_of: self.state.clock.wall(), ..CooldownStatus::default() }),
            };
        };
        if let Some(name) = provider
            && !active.snapshot.providers.contains_key(name)
        {
            return Err(OrderError::unknown_provider(name, &active.snapshot).into());
        }
        let mut earlier = Vec::new();
        for action in ENDINGS {
            earlier.extend(self.rests_before(action, provider).await);
        }
        let known = self.state.outlook();
        let mut outlook = Outlook { providers: known.providers.clone() };
        outlook.providers.retain(|known| provider.is_none_or(|name| known.name.as_str() == name));
        Ok(cooldowns(&outlook, earlier, Source::Cluster, self.state.clock.wall()))
    }

    /// Gives the rests that ended by `action`, from the audit log; none while the store is away: the rest of the answer
    /// is not its.
    async fn rests_before(&self, action: &str, provider: Option<&str>) -> Vec<RestStatus> {
        let query = AuditQuery {
            provider: provider.map(Into::into),
            action: Some(action.to_owned()),
            before: None,
            limit: ENTRIES,
        };
        match self.state.store.audit(query).await {
            Ok(entries) => entries.iter().flat_map(replaced).collect(),
            Err(error) => {
                tracing::warn!(%error, "the store did not tell what rested; showing what is known in memory");
                Vec::new()
            }
        }
    }
}

/// Gives the rests that were over with an entry: one, or all that an operator's word ended.
fn replaced(entry: &AuditEntry) -> Vec<RestStatus> {
    let before = match entry.before.starts_with('[') {
        true => serde_json::from_str(&entry.before),
        false => serde_json::from_str(&entry.before).map(|rest| vec![rest]),
    };
    // Nothing rested, or the entry is of another version.
    let before: Vec<RestStatus> = before.unwrap_or_default();
    let over = |rest: RestStatus| RestStatus {
        stage: "over".to_owned(),
        ends_at: rest.ends_at.min(entry.at),
        remaining_seconds: 0,
        ..rest
    };
    before.into_iter().map(over).collect()
}
