//! The way of a request, outside-in. The only module that names every stage.

use crate::{
    account::{AccountedBody, Accounts, Record},
    admit::{self, Gate},
    attempt::{Attempter, Legs},
    authenticate::{Admission, Caller, ShownKeys, authenticate},
    decode::{self, BodyLimits, Call, Delivery, Endpoint, Hop, decode, endpoint},
    encode::{self, ReplyBody},
    failover::{
        Failover,
        forward::{Asked, Forwarded},
    },
    live::Live,
    refusal::Refusal,
    route::{Forms, NOT_READY, Route, route},
};
use cliproxy_domain::{NodeId, Operation, RequestId};
use cliproxy_host::{Clock, Entropy, Origin, Peer};
use http::{HeaderName, HeaderValue, Request, Response};
use hyper::body::Incoming;
use std::{sync::Arc, time::Duration};

/// How long a stream's head is held back for its first event. Within it an error still has its HTTP status and a
/// failure can go elsewhere unseen; beyond it the client is kept alive.
const HEAD_WAIT: Duration = Duration::from_secs(10);

/// The number of the configuration that an answer was made with.
const CONFIG: HeaderName = HeaderName::from_static("x-cliproxy-config");
/// Says that no control plane has been heard for a minute.
const CONTROL_PLANE: HeaderName = HeaderName::from_static("x-cliproxy-control-plane");

/// The stages and what they need.
pub struct Pipeline {
    /// Who may call.
    pub admission: Admission,
    /// How much a caller may send.
    pub body_limits: BodyLimits,
    /// What the node knows.
    pub live: Arc<Live>,
    /// Takes what a request takes of its client's rates.
    pub gate: Gate,
    /// Calls upstreams.
    pub attempter: Arc<Attempter>,
    /// Closes the records.
    pub accounts: Arc<Accounts>,
    /// Has the way to the backup of what cannot be served here.
    pub failover: Arc<Failover>,
    /// The node's name, shown to clients.
    pub node: NodeId,
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
    /// For request ids.
    pub entropy: Entropy,
}

impl Pipeline {
    /// Serves one request. Dropping the future, or the body it gives, is the client's hang-up.
    pub async fn serve(&self, peer: Peer, request: Request<Incoming>) -> Response<AccountedBody> {
        let started = self.clock.now();
        let id = decode::request_id(request.headers(), || [self.entropy.next_u64(), self.entropy.next_u64()]);
        // Opened first, so that no request leaves without a record.
        let mut record = Record::open(&self.accounts, id.clone(), started);
        let mut response = self.answer(peer, request, &id, started, &mut record).await;
        self.sign(&mut response, &record);
        record.status(response.status().as_u16());
        response.map(|body| AccountedBody::new(body, record))
    }

    async fn answer(
        &self,
        peer: Peer,
        request: Request<Incoming>,
        id: &RequestId,
        started: std::time::Instant,
        record: &mut Record,
    ) -> Response<ReplyBody> {
        let (head, body) = request.into_parts();
        // The path first: it says in which dialect every refusal is told.
        let found = endpoint(&head.method, &head.uri, &head.headers);
        let dialect = match &found {
            Ok(Endpoint::Call(call)) => call.dialect,
            Ok(Endpoint::Models { dialect, .. }) => *dialect,
            Err(_) => decode::dialect_of(&head.uri, &head.headers),
        };
        let refuse = |refusal: Refusal| encode::refused(dialect, id, &self.node, &refusal);
        // Before the body is read: strangers send us nothing.
        let (origin, shown) = (Origin::of(peer, &head.headers), ShownKeys::of(&head.uri, &head.headers));
        let caller = match self.caller(origin, &shown) {
            Ok(caller) => caller,
            Err(refusal) => return refuse(refusal),
        };
        record.asked_by(&caller);
        let endpoint = match found {
            Err(refusal) => return refuse(refusal),
            Ok(Endpoint::Models { dialect, id: wanted }) => {
                return match self.models(&caller, dialect, wanted.as_deref()) {
                    Ok(list) => encode::document(list, id, &self.node),
                    Err(refusal) => refuse(refusal),
                };
            }
            Ok(Endpoint::Call(endpoint)) => endpoint,
        };
        let hop = Hop::of(&head.headers);
        let started = Hop::began(hop.as_ref(), started);
        let asked = self
            .failover
            .may_forward(hop.as_ref())
            .then(|| Asked { method: head.method.clone(), uri: head.uri.clone() });
        let known = self.live.known();
        let affinity = known.as_ref().map(|known| known.snapshot.policy.session_affinity).unwrap_or_default();
        let decoded =
            decode(endpoint, head, body, id.clone(), caller, started, &self.body_limits, affinity).await;
        let mut call = match decoded {
            Ok(call) => call,
            Err(refusal) => return refuse(refusal),
        };
        if known.is_none() {
            // Who it is could not be told. If there is a configuration by now, it can.
            call.caller = match self.caller(origin, &shown) {
                Ok(caller) => caller,
                Err(refusal) => return refuse(refusal),
            };
            record.asked_by(&call.caller);
        }
        let call = Arc::new(call);
        record.asked(call.dialect, &call.model);
        if let Some(known) = self.live.known()
            && let Err(refusal) = admit::may_ask(&call, &known.snapshot)
        {
            return refuse(refusal);
        }
        if self.failover.is_draining()
            && let Some(response) = self.forward(asked.as_ref(), &call).await
        {
            return response;
        }
        match self.gate.admit(&call).await {
            Ok(toll) => record.admitted(toll),
            Err(refusal) => return refuse(refusal),
        }
        // Decided once, on one configuration; the attempts follow its order.
        match route(&self.live, &call, &self.node, self.clock.wall()) {
            Ok(route) => {
                let legs = record.decided(&route.decided);
                self.attempt(call, route, legs, asked).await
            }
            Err(refusal) if refusal.code == Some(NOT_READY) => {
                match self.forward(asked.as_ref(), &call).await {
                    Some(response) => response,
                    None => refuse(refusal),
                }
            }
            // None of its providers counts: a guess, marked as one, is more use than an error.
            Err(refusal) if call.operation == Operation::CountTokens && refusal.is_of_capability() => {
                match Forms::default().estimated_tokens(&call) {
                    Ok(tokens) => encode::estimate(&call, &self.node, tokens),
                    Err(refused) => encode::unable(&call, &self.node, refused),
                }
            }
            Err(refusal) => refuse(refusal),
        }
    }

    async fn attempt(
        &self,
        call: Arc<Call>,
        route: Route,
        legs: Legs,
        asked: Option<Asked>,
    ) -> Response<ReplyBody> {
        let mut attempt = Box::pin(Arc::clone(&self.attempter).serve(Arc::clone(&call), route, legs));
        let served = match call.delivery {
            Delivery::Whole => attempt.await,
            Delivery::Stream(_) => match tokio::time::timeout(HEAD_WAIT, attempt.as_mut()).await {
                Ok(served) => served,
                Err(_) => return encode::pending(&call, &self.node, attempt),
            },
        };
        match served {
            Ok(reply) => encode::reply(&call, &self.node, reply),
            Err(exhausted) => {
                // Everything is out, tried or not: the backup may have what this node has not.
                let all_out = exhausted.unavailable.is_some() || exhausted.soonest.is_some();
                let asked = asked.as_ref().filter(|_| all_out);
                match self.forward(asked, &call).await {
                    Some(response) => response,
                    None => encode::exhausted(&call, &self.node, exhausted),
                }
            }
        }
    }

    /// Has the backup answer a call in this node's place; none when it does not.
    async fn forward(&self, asked: Option<&Asked>, call: &Call) -> Option<Response<ReplyBody>> {
        let asked = asked?;
        let timeouts = self.live.known().map(|known| known.snapshot.policy.timeouts).unwrap_or_default();
        let taken = self.clock.now().saturating_duration_since(call.started);
        let left = timeouts.total.saturating_sub(taken);
        let Forwarded { answer, place } = self.failover.forward(asked, call, left).await?;
        Some(encode::relayed(answer, place, &call.id, timeouts.idle))
    }

    /// Says what the answer was made with, unless it was made by another node.
    fn sign(&self, response: &mut Response<ReplyBody>, record: &Record) {
        if response.headers().contains_key(encode::SERVED_BY) {
            return;
        }
        self.tell_allowances(response, record);
        let config = record.config().or_else(|| self.live.known().map(|known| known.config));
        let headers = response.headers_mut();
        if let Some(config) = config {
            headers.insert(CONFIG, HeaderValue::from(config.0));
        }
        if self.failover.is_stale() {
            headers.insert(CONTROL_PLANE, HeaderValue::from_static("stale"));
        }
    }

    /// Says what its client may still ask for, where it has limits of its own.
    fn tell_allowances(&self, response: &mut Response<ReplyBody>, record: &Record) {
        let Some((client, dialect)) = record.client().zip(record.dialect()) else { return };
        if let Some(held) = self.live.limits().of_client(client) {
            let allowances = held.allowances(self.clock.passed());
            encode::allowances::show(response.headers_mut(), dialect, &allowances, self.clock.wall());
        }
    }

    fn caller(&self, origin: Origin, shown: &ShownKeys) -> Result<Caller, Refusal> {
        let callers = self.live.callers();
        authenticate(self.admission, origin, shown, callers.as_deref(), self.clock.wall())
    }

    fn models(
        &self,
        caller: &Caller,
        dialect: cliproxy_domain::Dialect,
        id: Option<&str>,
    ) -> Result<bytes::Bytes, Refusal> {
        match self.live.known() {
            Some(known) => decode::models::models(&known.snapshot, caller, dialect, id),
            None => decode::models::models(&Default::default(), caller, dialect, id),
        }
    }
}
