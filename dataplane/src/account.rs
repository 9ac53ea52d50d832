//! Closes the record of each attempt and each request: ledger, metrics, access log.

mod body;
mod clients;
mod counts;
mod events;
mod handles;
mod ledger;
mod records;

pub use body::AccountedBody;
pub use ledger::Ledger;
pub use records::Records;

use crate::{
    admit::Toll,
    attempt::{AttemptOutcome, Attempted, HedgeResult, Legs, ProbeResult, RETRY_WORDS, Took, Witness},
    authenticate::Caller,
    encode::Ending,
    live::Live,
    refusal::QUOTA_UNAVAILABLE,
    route::Decided,
};
use clients::{Clients, dollars};
use cliproxy_domain::{
    ClientName, ConfigId, Cooldown, Dialect, Exclusion, LedgerKey, ModelName, NodeId, RequestId, TokenUsage,
    UrgentEvent, UrgentKind, UsageKey, WallTime,
};
use cliproxy_engine::{Excluded, Why};
use cliproxy_host::{Clock, Entropy};
use cliproxy_observe::{
    access_log::{AccessEntry, AccessLog, Outcome},
    metrics::{DecisionHandles, DecisionWords, InFlight, Metrics, OTHER},
};
use counts::counts;
use handles::{Handles, NONE};
use records::Kept;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Where everything that is counted goes.
pub struct Accounts {
    ledger: Arc<Ledger>,
    handles: Arc<Handles>,
    clients: Arc<Clients>,
    decisions: DecisionHandles,
    records: Arc<Records>,
    log: AccessLog,
    live: Arc<Live>,
    urgent: mpsc::Sender<UrgentEvent>,
    node: NodeId,
    clock: Arc<dyn Clock>,
    entropy: Entropy,
    cut: CancellationToken,
}

impl Accounts {
    /// Counts into `ledger` and `metrics`, logs to `log`, keeps `records`, and reports what cannot wait to `urgent`.
    pub fn new(
        ledger: Arc<Ledger>,
        metrics: Metrics,
        log: AccessLog,
        records: Arc<Records>,
        live: Arc<Live>,
        urgent: mpsc::Sender<UrgentEvent>,
        node: NodeId,
        clock: Arc<dyn Clock>,
        entropy: Entropy,
    ) -> Self {
        let decisions = metrics.decisions(DecisionWords {
            retries: &[&RETRY_WORDS[..], &Why::ALL.map(Why::as_str)].concat(),
            hedges: &HedgeResult::ALL.map(HedgeResult::as_str),
            exclusions: &Exclusion::ALL.map(Exclusion::as_str),
            half_open: &ProbeResult::ALL.map(ProbeResult::as_str),
            records: &Kept::ALL.map(Kept::as_str),
        });
        let clients = Arc::new(Clients::registered(&metrics));
        let handles = Arc::new(Handles::new(metrics));
        let adopting = (Arc::clone(&handles), Arc::clone(&clients));
        live.on_adopt(move |snapshot| {
            adopting.0.adopt(snapshot);
            adopting.1.adopt(snapshot);
        });
        let cut = CancellationToken::new();
        Self { ledger, handles, clients, decisions, records, log, live, urgent, node, clock, entropy, cut }
    }

    /// Tells by `cut` when requests end as the node cuts their connections, rather than as their clients go.
    pub fn cut_by(self, cut: CancellationToken) -> Self {
        Self { cut, ..self }
    }

    /// Closes the record of a request that ended `ending`.
    fn request_ended(&self, record: &Record, ending: &Ending) {
        if ending.own {
            return;
        }
        let latency = self.clock.now().saturating_duration_since(record.started);
        self.keep(record, ending, latency);
        // What another gateway answered, that one counts: here it would be a second request.
        if !ending.forwarded {
            self.count(ending, latency);
            if let Some(counters) = record.client().and_then(|client| self.clients.get(client)) {
                counters.request(ending.error_type.is_none());
            }
        }
        let key = record.caller.as_ref().and_then(|caller| Some(caller.key?.id().to_string()));
        let outcome = match ending.error_type {
            None => Outcome::Success,
            Some(error_type) => Outcome::Failed {
                error_type,
                code: ending.refused.as_ref().map(|told| told.code),
                status: record.status,
                client: record.client().map(ClientName::as_str),
                key: key.as_deref(),
                is_clients: is_the_clients(error_type, record.status, ending),
            },
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
            served_by: ending.forwarded.then_some("backup"),
        });
    }

    fn count(&self, ending: &Ending, latency: Duration) {
        let provider = ending.served.as_ref().map_or(NONE, |served| served.target.provider.as_str());
        let model = ending.served.as_ref().map_or(OTHER, |served| served.target.model.as_str());
        let handles = self.handles.get(provider, model);
        match ending.error_type {
            None => handles.success(latency),
            // What the gateway refuses is counted here. The providers' errors were counted with their attempts, and a
            // client that left is nobody's error, nor is a node that had to end.
            Some(error_type) if ending.served.is_none() && !matches!(error_type, CLIENT_GONE | DRAIN_CUT) => {
                handles.failure(error_type);
            }
            Some(_) => handles.failed(),
        }
    }
}

/// Tells whether a failure is for the client to mend: what the gateway refuses of itself, unless no provider is there for
/// it, and what no provider would take.
fn is_the_clients(error_type: &str, status: u16, ending: &Ending) -> bool {
    match error_type {
        CLIENT_GONE => true,
        "no_target" | QUOTA_UNAVAILABLE => false,
        "invalid_request" | "context_length" => true,
        _ => ending.served.is_none() && !ending.forwarded && (400..500).contains(&status),
    }
}

/// The word for a request that its client gave up.
const CLIENT_GONE: &str = "client_gone";
/// The word for a request that was open when the drain's time was up.
const DRAIN_CUT: &str = "drain_cut";

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

    fn ended(
        &self,
        attempted: &Attempted,
        outcome: AttemptOutcome<'_>,
        usage: TokenUsage,
        took: Took,
    ) -> bool {
        let target = &attempted.choice.target;
        let handles = self.handles.get(target.provider.as_str(), target.model.as_str());
        handles.tokens(usage.input, usage.output);
        let mut counts = counts(outcome, took);
        counts.retried = u64::from(attempted.number > 1);
        let cost = attempted.cost(&usage);
        handles.cost(dollars(cost));
        let client = attempted.caller.name();
        if let Some(counters) = client.and_then(|client| self.clients.get(client)) {
            counters.call(&usage, cost);
        }
        let key = UsageKey {
            client: client.cloned(),
            price: attempted.price.as_ref().map(|price| price.version.clone()),
            ..subject(attempted).into()
        };
        self.ledger.add(key, counts, usage, cost);
        match outcome {
            AttemptOutcome::Answered => handles.attempt("success"),
            AttemptOutcome::Cancelled => handles.attempt(CLIENT_GONE),
            AttemptOutcome::Outrun => handles.attempt("outrun"),
            AttemptOutcome::Failed(error) => {
                handles.attempt(error.failure.error_type());
                handles.error(error.failure.error_type());
                tracing::warn!(request_id = %attempted.request, provider = %target.provider, model = %target.model,
                    credential = %attempted.choice.credential, status = error.status,
                    error_type = error.failure.error_type(), "an attempt failed");
                return self.report(attempted, error);
            }
        }
        false
    }

    fn left_out(&self, excluded: &[Excluded]) {
        excluded.iter().for_each(|excluded| self.decisions.exclusion(excluded.reason.as_str()));
    }

    fn probed(&self, rest: &Cooldown, subject: &LedgerKey, result: ProbeResult) {
        self.decisions.half_open(result.as_str());
        if result == ProbeResult::Recovered {
            tracing::info!(subject = %rest.key, "a rest is over: its probe was answered");
            self.tell(self.about_rest(UrgentKind::Recovered, rest, subject.clone()));
        }
    }

    fn permit_wanted(&self, rest: &Cooldown, subject: LedgerKey) {
        self.tell(self.about_rest(UrgentKind::PermitWanted, rest, subject));
    }

    fn retried(&self, verdict: &'static str) {
        self.decisions.retry(verdict);
    }

    fn hedged(&self, result: HedgeResult) {
        self.decisions.hedge(result.as_str());
    }
}

/// Names what an attempt called.
fn subject(attempted: &Attempted) -> LedgerKey {
    let target = &attempted.choice.target;
    LedgerKey {
        provider: target.provider.clone(),
        credential: attempted.choice.credential.clone(),
        model: target.model.clone(),
    }
}

/// A request from its head to its end. Dropped before its end was recorded, the client has hung up, or
/// the node cuts its connections.
pub struct Record {
    accounts: Arc<Accounts>,
    id: RequestId,
    model: String,
    started: Instant,
    at: WallTime,
    /// What the client got; 0 while there is none.
    status: u16,
    legs: Legs,
    /// Whether it is kept even if it succeeds.
    sampled: bool,
    /// There once the request was read.
    asked: Option<Dialect>,
    caller: Option<Caller>,
    toll: Toll,
    decided: Option<Arc<Decided>>,
    closed: bool,
}

impl Record {
    /// Opens the record of a request.
    pub fn open(accounts: &Arc<Accounts>, id: RequestId, started: Instant) -> Self {
        let sampled = records::is_sampled(&id);
        Self {
            accounts: Arc::clone(accounts),
            id,
            model: String::new(),
            started,
            at: accounts.clock.wall(),
            status: 0,
            legs: Legs::new(sampled),
            sampled,
            asked: None,
            caller: None,
            toll: Toll::default(),
            decided: None,
            closed: false,
        }
    }

    /// Notes who asks, as soon as that is known.
    pub fn asked_by(&mut self, caller: &Caller) {
        self.caller = Some(caller.clone());
    }

    /// Keeps what was taken of the client's rates until the request has ended.
    pub fn admitted(&mut self, toll: Toll) {
        self.toll = toll;
    }

    /// Gives the client's API; none while the request is not read.
    pub fn dialect(&self) -> Option<Dialect> {
        self.asked
    }

    /// Names who asks; none for an anonymous caller.
    pub fn client(&self) -> Option<&ClientName> {
        self.caller.as_ref()?.name()
    }

    /// Notes which API was spoken and the model that was asked for, as soon as it is known.
    pub fn asked(&mut self, dialect: Dialect, model: &ModelName) {
        self.asked = Some(dialect);
        model.as_str().clone_into(&mut self.model);
    }

    /// Notes where the request may go, and gives what its attempts are to be remembered in.
    pub fn decided(&mut self, decided: &Arc<Decided>) -> Legs {
        self.decided = Some(Arc::clone(decided));
        self.legs.clone()
    }

    /// Gives the configuration that the request was decided on; none where it came to no decision.
    pub fn config(&self) -> Option<ConfigId> {
        self.decided.as_ref().map(|decided| decided.known.config)
    }

    /// Notes the status that the client gets.
    pub fn status(&mut self, status: u16) {
        self.status = status;
    }

    /// Closes the record; later calls change nothing.
    pub fn close(&mut self, ending: &Ending) {
        if !self.closed {
            self.closed = true;
            // Another node that answered has counted it.
            if ending.forwarded {
                self.toll.undo()
            } else {
                self.toll.settle(ending.usage.total())
            }
            self.accounts.request_ended(self, ending);
        }
    }

    /// Closes the record of a request whose client has gone, or whose connection the node cuts.
    pub fn close_as_gone(&mut self, served: Option<crate::encode::Served>, usage: TokenUsage) {
        let error_type = Some(if self.accounts.cut.is_cancelled() { DRAIN_CUT } else { CLIENT_GONE });
        self.close(&Ending { served, usage, error_type, refused: None, own: false, forwarded: false });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.close_as_gone(None, TokenUsage::default());
    }
}
