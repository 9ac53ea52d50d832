//! Closes the record of each attempt and each request: ledger, metrics, access log.

mod body;
mod handles;
mod ledger;

pub use body::AccountedBody;
pub use ledger::Ledger;

use crate::{
    attempt::{AttemptOutcome, Attempted, Took, Witness},
    encode::Ending,
    live::Live,
};
use cliproxy_domain::{
    AttemptCounts, AttemptError, Failure, LedgerKey, NodeId, TimeoutPhase, TokenUsage, UrgentEvent,
};
use cliproxy_engine::cooldown::{Report, blame};
use cliproxy_host::{Clock, Entropy};
use cliproxy_observe::{
    access_log::{AccessEntry, AccessLog, Outcome},
    metrics::{InFlight, Metrics, OTHER},
};
use handles::{Handles, NONE};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

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

    /// Lets what failed rest, here at once and everywhere by an urgent event.
    fn report(&self, attempted: &Attempted, error: &AttemptError) {
        let Some(blame) = blame(error.failure, attempted.translated) else { return };
        let choice = &attempted.choice;
        let report = Report {
            blame,
            subject: LedgerKey {
                provider: choice.target.provider.clone(),
                credential: choice.credential.clone(),
                model: choice.target.model.clone(),
            },
            about_model: error.about_model,
            hint: error.failure.retry_after(),
            http_status: error.status.unwrap_or(0),
            error_type: error.failure.error_type().to_owned(),
            seen_epoch: attempted.seen_epoch,
            node: self.node.clone(),
            at: self.clock.wall(),
        };
        self.live.failed(&report);
        self.tell(UrgentEvent {
            id: self.event_id(),
            node: report.node,
            kind: blame.kind(),
            subject: report.subject,
            about_model: report.about_model,
            rest: None,
            http_status: report.http_status,
            error_type: report.error_type,
            hint: report.hint,
            seen_epoch: report.seen_epoch,
            age: Duration::ZERO,
        });
    }

    /// Sends an event to the control plane. A full queue means that it is away: what follows holds here, and the
    /// ledger has the count.
    fn tell(&self, event: UrgentEvent) {
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

    fn ended(&self, attempted: &Attempted, outcome: AttemptOutcome<'_>, usage: TokenUsage, took: Took) {
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
                self.report(attempted, error);
            }
        }
    }
}

fn counts(outcome: AttemptOutcome<'_>, took: Took) -> AttemptCounts {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let mut counts = AttemptCounts::default();
    match outcome {
        AttemptOutcome::Answered => {
            counts.ok = 1;
            counts.latency_us = micros(took.all);
            if let Some(first_event) = took.to_first_event {
                counts.streams = 1;
                counts.stream_us = micros(took.all);
                counts.first_event_us = micros(first_event);
            }
        }
        AttemptOutcome::Cancelled => counts.cancelled = 1,
        AttemptOutcome::Failed(error) => match error.failure {
            Failure::RateLimited { .. } | Failure::LimitSpent { .. } | Failure::Billing => {
                counts.rate_limited = 1
            }
            Failure::Timeout(TimeoutPhase::Connect) | Failure::ConnectFailed => counts.connect = 1,
            // We gave it up for want of time that others had used: that says nothing of the provider.
            Failure::Timeout(TimeoutPhase::Deadline) => counts.cancelled = 1,
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
