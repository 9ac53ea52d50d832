//! Closes the record of each attempt and each request: ledger, metrics, access log.

mod body;
mod handles;
mod ledger;

pub use body::AccountedBody;
pub use ledger::Ledger;

use crate::{
    attempt::{AttemptOutcome, Attempted, Witness},
    encode::Ending,
    live::Live,
};
use cliproxy_domain::{
    AttemptCounts, AttemptError, Cooldown, CooldownCause, CooldownKey, Failure, LedgerKey, NodeId,
    TimeoutPhase, TokenUsage, UrgentEvent, UrgentKind,
};
use cliproxy_host::{Clock, Entropy};
use cliproxy_observe::{
    access_log::{AccessEntry, AccessLog, Outcome},
    metrics::{InFlight, Metrics, OTHER},
};
use handles::{Handles, NONE};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// The longest rest that a provider's word is believed for.
const MAX_HINT: Duration = Duration::from_secs(3600);
/// The shortest rest that a provider's word makes.
const MIN_HINT: Duration = Duration::from_millis(250);

/// Where everything that is counted goes.
pub struct Accounts {
    ledger: Arc<Ledger>,
    handles: Arc<Handles>,
    log: AccessLog,
    live: Arc<Live>,
    urgent: mpsc::Sender<UrgentEvent>,
    node: NodeId,
    clock: Arc<dyn Clock>,
    entropy: Entropy,
}

impl Accounts {
    /// Counts into `ledger` and `metrics`, logs to `log`, and reports what cannot wait to `urgent`.
    pub fn new(
        ledger: Arc<Ledger>,
        metrics: Metrics,
        log: AccessLog,
        live: Arc<Live>,
        urgent: mpsc::Sender<UrgentEvent>,
        node: NodeId,
        clock: Arc<dyn Clock>,
        entropy: Entropy,
    ) -> Self {
        let handles = Arc::new(Handles::new(metrics));
        let adopting = Arc::clone(&handles);
        live.on_adopt(move |snapshot| adopting.adopt(snapshot));
        Self { ledger, handles, log, live, urgent, node, clock, entropy }
    }

    /// Closes the record of a request that ended `ending`.
    fn request_ended(&self, record: &Record, ending: &Ending) {
        if ending.own {
            return;
        }
        let latency = self.clock.now().saturating_duration_since(record.started);
        let provider = ending.served.as_ref().map_or(NONE, |served| served.target.provider.as_str());
        let model = ending.served.as_ref().map_or(OTHER, |served| served.target.model.as_str());
        let handles = self.handles.get(provider, model);
        match ending.error_type {
            None => handles.success(latency),
            // What the gateway refuses is counted here. The providers' errors were counted with their attempts, and a
            // client that left is nobody's error.
            Some(error_type) if ending.served.is_none() && error_type != CLIENT_GONE => {
                handles.failure(error_type);
            }
            Some(_) => handles.failed(),
        }
        let outcome = match ending.error_type {
            None => Outcome::Success,
            Some(error_type) => Outcome::Failed { error_type },
        };
        self.log.write(&AccessEntry {
            at_ms: self.clock.wall().0,
            outcome,
            provider: ending.served.as_ref().map_or("", |served| served.target.provider.as_str()),
            model: &record.model,
            request_id: record.id.as_str(),
            latency,
            input_tokens: ending.usage.input,
            output_tokens: ending.usage.output,
        });
    }

    /// Lets a credential rest that its provider sent away, here at once and everywhere by an urgent event.
    fn rest(&self, attempted: &Attempted, error: &AttemptError) {
        let Some((kind, cause, rest)) = rest_of(error.failure) else { return };
        let key = CooldownKey {
            provider: attempted.choice.target.provider.clone(),
            credential: attempted.choice.credential.clone(),
        };
        // What was seen before an operator's word does not undo it.
        let known = self.live.resting(&key.provider, &key.credential);
        if known.is_some_and(|known| known.epoch > attempted.seen_epoch) {
            return;
        }
        let now = self.clock.wall();
        let cooldown = Cooldown {
            key: key.clone(),
            epoch: attempted.seen_epoch,
            started_at: now,
            until: now.plus(rest),
            cause,
            source: self.node.clone(),
        };
        if !self.live.rest(cooldown, now) {
            return;
        }
        tracing::warn!(provider = %key.provider, credential = %key.credential, rest_ms = rest.as_millis() as u64,
            reason = error.failure.error_type(), "a credential rests");
        let event = UrgentEvent {
            id: self.event_id(),
            node: self.node.clone(),
            kind,
            key,
            http_status: error.status.unwrap_or(0),
            rest,
            seen_epoch: attempted.seen_epoch,
        };
        // A full queue means that the control plane is away: the rest holds here, and the ledger has the count.
        if self.urgent.try_send(event).is_err() {
            tracing::debug!("an urgent event was dropped as too many wait for the control plane");
        }
    }

    fn event_id(&self) -> String {
        let ms = u64::try_from(self.clock.wall().0).unwrap_or(0);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.entropy.next_u64().to_be_bytes());
        random[8..].copy_from_slice(&self.entropy.next_u64().to_be_bytes()[..2]);
        uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid().to_string()
    }
}

/// What rests after a failure, and for how long. A 429 without a wait makes no rest: nobody knows how long.
fn rest_of(failure: Failure) -> Option<(UrgentKind, CooldownCause, Duration)> {
    let (kind, cause, hint) = match failure {
        Failure::RateLimited { retry_after } => {
            (UrgentKind::RateLimited, CooldownCause::RateLimit, retry_after?)
        }
        Failure::LimitSpent { retry_after } => {
            (UrgentKind::QuotaExhausted, CooldownCause::QuotaExhausted, retry_after?)
        }
        _ => return None,
    };
    Some((kind, cause, hint.clamp(MIN_HINT, MAX_HINT)))
}

/// The word for a request that its client gave up.
const CLIENT_GONE: &str = "client_gone";

impl Witness for Accounts {
    fn began(&self, attempted: &Attempted) -> InFlight {
        let target = &attempted.choice.target;
        if attempted.client != attempted.upstream {
            self.handles.translated(attempted.client, attempted.upstream, attempted.lost);
        }
        self.handles.get(target.provider.as_str(), target.model.as_str()).enter()
    }

    fn first_event(&self, attempted: &Attempted, after: Duration) {
        let target = &attempted.choice.target;
        self.handles.get(target.provider.as_str(), target.model.as_str()).first_token(after);
    }

    fn ended(&self, attempted: &Attempted, outcome: AttemptOutcome<'_>, usage: TokenUsage, took: Duration) {
        let target = &attempted.choice.target;
        let handles = self.handles.get(target.provider.as_str(), target.model.as_str());
        handles.tokens(usage.input, usage.output);
        let mut counts = counts(outcome, took);
        counts.retried = u64::from(attempted.retry);
        self.ledger.add(
            LedgerKey {
                provider: target.provider.clone(),
                credential: attempted.choice.credential.clone(),
                model: target.model.clone(),
            },
            counts,
            usage,
        );
        match outcome {
            AttemptOutcome::Answered => handles.attempt("success"),
            AttemptOutcome::Cancelled => handles.attempt(CLIENT_GONE),
            AttemptOutcome::Failed(error) => {
                handles.attempt(error.failure.error_type());
                handles.error(error.failure.error_type());
                tracing::warn!(request_id = %attempted.request, provider = %target.provider, model = %target.model,
                    credential = %attempted.choice.credential, status = error.status,
                    error_type = error.failure.error_type(), "an attempt failed");
                self.rest(attempted, error);
            }
        }
    }
}

fn counts(outcome: AttemptOutcome<'_>, took: Duration) -> AttemptCounts {
    let mut counts = AttemptCounts::default();
    match outcome {
        AttemptOutcome::Answered => {
            counts.ok = 1;
            counts.latency_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        }
        AttemptOutcome::Cancelled => counts.cancelled = 1,
        AttemptOutcome::Failed(error) => match error.failure {
            Failure::RateLimited { .. } | Failure::LimitSpent { .. } | Failure::Billing => {
                counts.rate_limited = 1
            }
            Failure::Timeout(TimeoutPhase::Connect) | Failure::ConnectFailed => counts.connect = 1,
            Failure::Timeout(_) => counts.timeout = 1,
            Failure::InvalidRequest
            | Failure::ContextLength
            | Failure::CredentialRejected
            | Failure::Permission
            | Failure::ModelNotFound
            | Failure::TooLarge => counts.err_4xx = 1,
            Failure::Overloaded { .. }
            | Failure::Upstream
            | Failure::StreamBroken
            | Failure::MalformedReply => {
                counts.err_5xx = 1;
            }
            Failure::ClientGone => counts.cancelled = 1,
        },
    }
    counts
}

/// A request from its head to its end. Dropped before its end was recorded, the client has hung up.
pub struct Record {
    accounts: Arc<Accounts>,
    id: cliproxy_domain::RequestId,
    model: String,
    started: std::time::Instant,
    closed: bool,
}

impl Record {
    /// Opens the record of a request.
    pub fn open(
        accounts: &Arc<Accounts>,
        id: cliproxy_domain::RequestId,
        started: std::time::Instant,
    ) -> Self {
        Self { accounts: Arc::clone(accounts), id, model: String::new(), started, closed: false }
    }

    /// Notes the model that was asked for, as soon as it is known.
    pub fn model(&mut self, model: &cliproxy_domain::ModelName) {
        model.as_str().clone_into(&mut self.model);
    }

    /// Closes the record; later calls change nothing.
    pub fn close(&mut self, ending: &Ending) {
        if !self.closed {
            self.closed = true;
            self.accounts.request_ended(self, ending);
        }
    }

    /// Closes the record of a request whose client has gone.
    pub fn close_as_gone(&mut self, served: Option<crate::encode::Served>, usage: TokenUsage) {
        self.close(&Ending { served, usage, error_type: Some(CLIENT_GONE), own: false });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.close_as_gone(None, TokenUsage::default());
    }
}

#[cfg(test)]
mod tests;
