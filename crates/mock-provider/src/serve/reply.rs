//! Turns what the script says into an answer, a broken one, or silence.

use super::work::{GEMINI_JSON, Good, Work};
use crate::{
    body::{Abort, Fault, MockBody, Paced, Receipt},
    link::Link,
    log::{Open, Outcome},
    provider::Server,
    rope::Rope,
    route::NoEndpoint,
    rules::{Plan, Rules},
    script::{Behaviour, Ending, ErrorKind, Family, Fixture, Hint, Operation, Point, Usage},
    strict::Refusal,
    wire::error,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A whole body whose JSON does not parse.
const BROKEN: &[u8] = b"{\"id\":\"broken\",\"object\":";
/// What a load balancer says when what stands behind it is gone.
const HTML: &[u8] =
    b"<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n";

/// A request on its way to an answer.
pub(super) struct Exchange<'a> {
    server: &'a Server,
    link: Arc<Link>,
    pub(super) open: Open,
    http1: bool,
    family: Family,
}

/// The head of an answer, and what the log is told when its body is written.
struct Head {
    status: u16,
    content_type: &'static str,
    headers: HeaderMap,
    outcome: Outcome,
    usage: Option<Usage>,
}

impl Head {
    fn new(status: u16, content_type: &'static str, headers: &BTreeMap<String, String>) -> Self {
        let outcome = if status < 400 { Outcome::Ok } else { Outcome::Error };
        let mut map = HeaderMap::new();
        insert_all(&mut map, headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        Self { status, content_type, headers: map, outcome, usage: None }
    }

    fn usage(mut self, usage: Option<Usage>) -> Self {
        self.usage = usage;
        self
    }

    fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }
}

impl<'a> Exchange<'a> {
    pub(super) fn new(server: &'a Server, link: Arc<Link>, open: Open, http1: bool) -> Self {
        Self { server, link, open, http1, family: Family::OpenAi }
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    pub(super) fn asked(&mut self, family: Family, operation: Operation, key: Arc<str>) {
        self.family = family;
        self.open.asked(family, operation, key);
    }

    /// Answers a request to a path or with a method that the API does not have.
    pub(super) fn no_endpoint(mut self, missing: NoEndpoint, head: &Parts) -> Response<MockBody> {
        self.family = missing.family;
        let text = format!("there is no {} {}", head.method, head.uri.path());
        let body = error::refusal(self.family, ErrorKind::NotFound, &text, self.open.id());
        let head = Head::new(missing.status, self.json(), &BTreeMap::new());
        self.whole(head, body.into())
    }

    /// Answers with an error and a text of our own.
    pub(super) fn refuse(self, kind: ErrorKind, text: &str) -> Response<MockBody> {
        let body = error::refusal(self.family, kind, text, self.open.id());
        let status = error::spelling(self.family, kind).status;
        let head = Head::new(status, self.json(), &BTreeMap::new());
        self.whole(head, body.into())
    }

    /// Answers with what the real API says to such a request.
    pub(super) fn refuse_strictly(self, refusal: &Refusal) -> Response<MockBody> {
        let body = error::strict_refusal(self.family, refusal, self.open.id());
        let status = error::spelling(self.family, ErrorKind::BadRequest).status;
        let head = Head::new(status, self.json(), &BTreeMap::new());
        self.whole(head, body.into())
    }

    /// Answers with an error in the provider's words.
    pub(super) fn error(
        self,
        kind: ErrorKind,
        model: &str,
        hint: Hint,
        status: Option<u16>,
        plan: &Plan,
    ) -> Response<MockBody> {
        let status = status.unwrap_or_else(|| error::spelling(self.family, kind).status);
        let body = error::body(self.family, kind, Some((status, hint)), model, self.open.id());
        let mut head = Head::new(status, self.json(), &plan.reply.headers);
        let hints = error::hint_headers(hint);
        insert_all(&mut head.headers, hints.iter().map(|(name, value)| (*name, value.as_str())));
        self.whole(head, body.into())
    }

    /// Does what the plan says.
    pub(super) async fn perform(
        self,
        work: Work,
        plan: &Plan,
        rules: &Rules,
    ) -> Result<Response<MockBody>, Abort> {
        wait(plan.latency.headers()).await;
        let headers = &plan.reply.headers;
        Ok(match &plan.behaviour {
            Behaviour::Answer => self.answer(work, plan, rules, None).await,
            Behaviour::Error { kind, hint, status } => self.error(*kind, work.asks().0, *hint, *status, plan),
            Behaviour::Html { status } => {
                self.whole(Head::new(*status, "text/html", headers), Bytes::from_static(HTML))
            }
            Behaviour::Empty { status } => self.whole(Head::new(*status, "", headers), Bytes::new()),
            Behaviour::Hang { at } => self.break_at(*at, Fault::Hang, work, plan, rules).await?,
            Behaviour::Reset { at } => self.break_at(*at, Fault::Reset, work, plan, rules).await?,
            Behaviour::Close { at } => self.break_at(*at, Fault::Close, work, plan, rules).await?,
            Behaviour::Truncate { after_events } => {
                self.answer(work, plan, rules, Some((*after_events, Fault::Truncate))).await
            }
            Behaviour::Malformed { after_events } => {
                self.answer(work, plan, rules, Some((*after_events, Fault::Malformed))).await
            }
            Behaviour::StreamError { after_events, kind } => {
                self.answer(work, plan, rules, Some((*after_events, Fault::StreamError(*kind)))).await
            }
            Behaviour::Fixture(fixture) => self.fixture(fixture, plan),
        })
    }

    async fn break_at(
        self,
        at: Point,
        fault: Fault,
        work: Work,
        plan: &Plan,
        rules: &Rules,
    ) -> Result<Response<MockBody>, Abort> {
        match (at, fault) {
            (Point::AfterEvents(events), _) => {
                Ok(self.answer(work, plan, rules, Some((events, fault))).await)
            }
            // Dropped, and so logged as cancelled, when the client leaves.
            (Point::BeforeHeaders, Fault::Hang) => std::future::pending().await,
            (Point::BeforeHeaders, _) => Err(self.receipt(Outcome::Reset, None).abort(fault == Fault::Reset)),
        }
    }

    /// Answers well, but for a fault after some events.
    async fn answer(
        self,
        work: Work,
        plan: &Plan,
        rules: &Rules,
        fault: Option<(u64, Fault)>,
    ) -> Response<MockBody> {
        let model = work.asks().0.to_owned();
        let good =
            work.answer(self.server, rules, self.open.body_bytes(), self.open.body_hash(), &plan.reply);
        match good {
            Good::Stream { transcript, content_type } => {
                let usage = transcript.answer().usage;
                let head = Head::new(200, content_type, &plan.reply.headers).usage(Some(usage));
                let paced = Paced::transcript(transcript, plan.latency, plan.reply.chunk_bytes, fault);
                self.send(head, |receipt| MockBody::paced(paced, receipt))
            }
            Good::Whole { body, usage, tokens } => {
                wait(plan.latency.first_token() + plan.latency.tokens(tokens)).await;
                if let Some((_, Fault::StreamError(kind))) = fault {
                    return self.error(kind, &model, Hint::default(), None, plan);
                }
                let head = Head::new(200, self.json(), &plan.reply.headers).usage(usage);
                self.whole_or_broken(head, body, fault)
            }
        }
    }

    /// Sends a whole body, or the part before a fault: nothing (0 events) or its half.
    fn whole_or_broken(self, head: Head, mut body: Rope, fault: Option<(u64, Fault)>) -> Response<MockBody> {
        let Some((events, fault)) = fault else {
            return match body.into_bytes() {
                Ok(bytes) => self.whole(head, bytes),
                Err(rope) => self.send(head, |receipt| MockBody::paced(Paced::sized(rope), receipt)),
            };
        };
        let kept = if events == 0 { 0 } else { body.len() / 2 };
        match fault {
            Fault::Malformed => {
                let head = head.outcome(Outcome::Malformed).usage(None);
                self.whole(head, Bytes::from_static(BROKEN))
            }
            Fault::Truncate => {
                drop(body.split_off(kept));
                let head = head.outcome(Outcome::Truncated).usage(None);
                self.send(head, |receipt| MockBody::paced(Paced::sized(body), receipt))
            }
            _ => self.send(head, |receipt| MockBody::paced(Paced::cut(body, kept, fault), receipt)),
        }
    }

    /// Answers with given bytes.
    fn fixture(self, fixture: &Fixture, plan: &Plan) -> Response<MockBody> {
        let mut head = Head::new(fixture.status, "", &plan.reply.headers).usage(fixture.usage);
        let headers = fixture.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        insert_all(&mut head.headers, headers);
        let fault = match fixture.ending {
            Ending::Clean => None,
            Ending::Hang => Some(Fault::Hang),
            Ending::Reset => Some(Fault::Reset),
            Ending::Close => Some(Fault::Close),
        };
        if let (Some(body), None) = (&fixture.body, fault) {
            return self.whole(head, body.0.clone());
        }
        let whole = fixture.body.iter().map(|body| (Duration::ZERO, Rope::from(body.0.clone())));
        let chunks = fixture
            .chunks
            .iter()
            .map(|chunk| (Duration::from_millis(chunk.pause_ms), Rope::from(chunk.payload.0.clone())));
        let chunks: std::collections::VecDeque<_> = whole.chain(chunks).collect();
        let fault = fault.map(|fault| (chunks.len() as u64, fault));
        self.send(head, |receipt| MockBody::paced(Paced::chunks(chunks, fault), receipt))
    }

    fn whole(self, head: Head, body: Bytes) -> Response<MockBody> {
        self.send(head, |receipt| MockBody::whole(body, Some(receipt)))
    }

    fn send(mut self, head: Head, body: impl FnOnce(Receipt) -> MockBody) -> Response<MockBody> {
        self.open.status(head.status);
        let id = self.open.id();
        let (server, family) = (self.server, self.family);
        let mut response = Response::new(body(self.receipt(head.outcome, head.usage)));
        // The script's statuses are checked when it is set.
        *response.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        *headers = head.headers;
        if !head.content_type.is_empty() && !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(head.content_type));
        }
        if let Some(name) = &server.name_header {
            headers.insert(HeaderName::from_static("x-mock-provider"), name.clone());
        }
        insert_id(headers, family, id);
        response
    }

    fn receipt(self, outcome: Outcome, usage: Option<Usage>) -> Receipt {
        let Self { link, open, http1, .. } = self;
        Receipt { open, link, http1, outcome, usage }
    }

    fn json(&self) -> &'static str {
        if self.family == Family::Gemini { GEMINI_JSON } else { "application/json" }
    }
}

/// Sets the request id where the family has one, unless the script did.
fn insert_id(headers: &mut HeaderMap, family: Family, id: u64) {
    let name = match family {
        Family::OpenAi => HeaderName::from_static("x-request-id"),
        Family::Anthropic => HeaderName::from_static("request-id"),
        Family::Gemini => return,
    };
    if !headers.contains_key(&name)
        && let Ok(id) = HeaderValue::try_from(format!("req_{id:016x}"))
    {
        headers.insert(name, id);
    }
}

/// Adds headers, which were checked when the script was set.
fn insert_all<'a>(map: &mut HeaderMap, headers: impl Iterator<Item = (&'a str, &'a str)>) {
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            map.insert(name, value);
        }
    }
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
