//! What is in force once it is stored, and not before.

use super::{Actor, Operations};
use cliproxy_domain::{AuditEntry, Hint, HintVersion};
use cliproxy_store::{Change, StoreError};
use std::{sync::Arc, time::Duration};

/// How long the store may take before the caller is told so.
const PATIENCE: Duration = Duration::from_secs(5);

impl Operations {
    /// Stores a change, then tells all nodes; gives the number under which it is known, none when nothing of it was done
    /// as a call of its name is remembered. A rest is the other way round: it
    /// does no harm when it holds and is not stored, while of a key somebody would hold a half.
    ///
    /// The store is asked once. Where it did not answer in time, the change may be stored all the same, and is in force
    /// then. A caller that hangs up changes nothing of this.
    ///
    /// # Errors
    /// Fails when the store does not take it, or does not say whether it did.
    pub(super) async fn store_first(&self, change: Change) -> Result<Option<HintVersion>, StoreError> {
        let (state, log, decide) = (Arc::clone(&self.state), Arc::clone(&self.log), self.decide.clone());
        let storing = async move {
            let hints: Vec<Hint> = change.hints.clone();
            let numbered = state.store.change(change).await?;
            if numbered.is_empty() {
                return Ok(None);
            }
            if let Err(error) = log.take(numbered).await {
                tracing::warn!(%error, "what was stored is told to the nodes once the store answers again");
                decide.store_again(hints).await;
            }
            Ok(Some(state.hints.version()))
        };
        let unsure = |why: String| {
            StoreError::CommitUnknown(format!("{why}; see GET /v0/operations/clients and the audit log"))
        };
        match tokio::time::timeout(PATIENCE, tokio::spawn(storing)).await {
            Ok(Ok(stored)) => stored,
            Ok(Err(error)) => Err(unsure(format!("the change was interrupted ({error})"))),
            Err(_) => Err(unsure("no answer within 5 s".to_owned())),
        }
    }

    /// Writes for the audit log what somebody did that is about no provider.
    pub(super) fn entry_of(
        &self,
        actor: &Actor,
        action: &str,
        subject: String,
        reason: String,
    ) -> AuditEntry {
        AuditEntry {
            id: self.decide.ids().next(),
            at: self.state.clock.wall(),
            actor: actor.name.clone(),
            from: actor.from.clone(),
            action: action.to_owned(),
            provider: None,
            subject,
            reason,
            before: String::new(),
            after: String::new(),
        }
    }
}
