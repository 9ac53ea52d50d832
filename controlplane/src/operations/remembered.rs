//! Calls that were heard before: a second one of the same name does nothing.

use super::{OperationError, Operations};
use cliproxy_domain::{WallTime, operate::Order, status::ChangeStatus};
use cliproxy_store::{Change, Outcome, StoreError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeSet, sync::Arc};

/// The names of the calls that are being carried out.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<BTreeSet<String>>>);

/// One call that is being carried out, until it is dropped.
pub(super) struct Turn {
    running: Running,
    id: String,
}

impl Running {
    /// Begins a call.
    ///
    /// # Errors
    /// Fails while another of its name is being carried out.
    pub(super) fn begin(&self, id: &str) -> Result<Turn, OperationError> {
        if !self.0.lock().insert(id.to_owned()) {
            let message = format!("the call {id:?} is being carried out; ask again when it is answered");
            return Err(OperationError::Conflict(message));
        }
        Ok(Turn { running: self.clone(), id: id.to_owned() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.running.0.lock().remove(&self.id);
    }
}

/// What was asked and answered, as the store keeps it.
#[derive(Serialize, Deserialize)]
pub(super) struct Remembered<A> {
    call: String,
    answer: A,
}

/// What was asked, whatever was answered.
#[derive(Deserialize)]
struct Called {
    call: String,
}

impl<A: Serialize> Remembered<A> {
    pub(super) fn new(call: String, answer: A) -> Self {
        Self { call, answer }
    }

    pub(super) fn outcome(&self, request_id: &str, at: WallTime) -> Outcome {
        // Its keys are texts, so that this does not fail.
        let answer = serde_json::to_string(self).unwrap_or_default();
        Outcome { request_id: request_id.to_owned(), answer, at }
    }
}

/// Names the answer as it was given, with its number and its counts: those are known only once the call is stored,
/// and what the store remembers first it keeps. No name of a call has a blank.
fn as_answered(id: &str) -> String {
    format!("{id} answered")
}

impl Operations {
    /// Gives what a call of this name was answered; none when there was none.
    ///
    /// # Errors
    /// Fails when another call had the name, and when the store does not answer.
    pub(super) async fn remembered(
        &self,
        id: &str,
        order: &Order,
    ) -> Result<Option<ChangeStatus>, OperationError> {
        let call = order.call();
        let Some(carried_out) = self.outcome::<ChangeStatus>(id, &call).await? else { return Ok(None) };
        if let Some(answered) = self.outcome(&as_answered(id), &call).await? {
            return Ok(Some(answered));
        }
        // It was stored, and whoever asked was not answered. All up to the newest number is known; so is this.
        let hint_version = self.state.hints.version();
        let (applied_nodes, total_nodes) = self.wait(hint_version, order.wait, order.timeout).await;
        Ok(Some(ChangeStatus { hint_version, applied_nodes, total_nodes, ..carried_out }))
    }

    /// Gives what is remembered under a name; none when nothing is.
    ///
    /// # Errors
    /// Fails when another call had the name, and when the store does not answer.
    pub(super) async fn outcome<A: DeserializeOwned>(
        &self,
        id: &str,
        call: &str,
    ) -> Result<Option<A>, OperationError> {
        let Some(text) = self.state.store.outcome(id.to_owned()).await? else { return Ok(None) };
        let corrupt =
            |error| StoreError::Corrupt(format!("the outcome of call {id:?} does not parse: {error}"));
        let earlier: Called = serde_json::from_str(&text).map_err(corrupt)?;
        if earlier.call != call {
            return Err(OperationError::Conflict(format!(
                "request_id {id:?} is the name of another call: {}; give each call a name of its own",
                earlier.call
            )));
        }
        let remembered: Remembered<A> = serde_json::from_str(&text).map_err(corrupt)?;
        Ok(Some(remembered.answer))
    }

    /// Remembers an answer as it is given. Where that fails, a second call is answered with counts of its own.
    pub(super) async fn remember(&self, id: &str, order: &Order, answer: &ChangeStatus, at: WallTime) {
        let outcome = Remembered::new(order.call(), answer).outcome(&as_answered(id), at);
        let change = Change { outcome: Some(outcome), ..Change::default() };
        if let Err(error) = self.state.store.change(change).await {
            tracing::warn!(%error, request_id = id, "the answer to a call is not remembered; the call is");
        }
    }
}
