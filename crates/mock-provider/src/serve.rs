//! One request: read, found its rule, answered.

mod reply;
mod work;

use self::{reply::Exchange, work::Work};
use crate::{
    body::{Abort, MockBody},
    control,
    link::Link,
    log::Open,
    provider::Server,
    route::{self, Endpoint},
    rules::{self, Plan},
    script::{ErrorKind, Family, Hint},
    strict,
};
use bytes::{Bytes, BytesMut};
use http::{Request, Response, Version, request::Parts};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use std::{sync::Arc, time::Duration};

/// The largest request body that is read.
const LARGEST_BODY: usize = 64 << 20;

/// Answers a request, or breaks its connection when the script says so.
pub(crate) async fn serve(
    server: Arc<Server>,
    link: Arc<Link>,
    request: Request<Incoming>,
) -> Result<Response<MockBody>, Abort> {
    if request.uri().path().starts_with(control::PREFIX) {
        return Ok(control::serve(&server, request).await);
    }
    let (head, body) = request.into_parts();
    let rules = server.rules();
    let open = Open::new(Arc::clone(&server.book), server.epoch, &head);
    let http1 = head.version < Version::HTTP_2;
    let mut exchange = Exchange::new(&server, link, open, http1);
    let endpoint = match Endpoint::find(server.family, &head) {
        Ok(endpoint) => endpoint,
        Err(missing) => return Ok(exchange.no_endpoint(missing, &head)),
    };
    let family = endpoint.family();
    let key = route::api_key(family, &head.headers, &head.uri);
    let label = key.and_then(|key| rules.key_label(key));
    let shown = label.clone().unwrap_or_else(|| key.map_or_else(|| "".into(), rules::last_four));
    exchange.asked(family, endpoint.operation(), shown);

    let body = match read(body, rules.script().read_bytes_per_second).await? {
        Some(body) => body,
        None => return Ok(exchange.refuse(ErrorKind::TooLarge, "the request body is larger than 64 MiB")),
    };
    exchange.open.body(&body);
    let Some(label) = label else { return Ok(refuse_key(exchange, key.is_some())) };
    if let Err(text) = check_headers(family, &head) {
        return Ok(exchange.refuse(ErrorKind::BadRequest, text));
    }
    let work = match Work::read(&endpoint, &body) {
        Ok(work) => work,
        Err(bad) => return Ok(exchange.refuse(ErrorKind::BadRequest, &bad.0)),
    };
    let (model, stream) = work.asks();
    exchange.open.start(model, stream);
    if rules.script().strict
        && let Err(refusal) = strict::check(&endpoint, &head, &body)
    {
        return Ok(exchange.refuse_strictly(&refusal));
    }
    if !model.is_empty() && !rules.serves(model) {
        return Ok(exchange.error(ErrorKind::NotFound, model, Hint::default(), None, &Plan::default()));
    }
    let plan = rules.plan(model, &label, stream, endpoint.operation());
    exchange.perform(work, &plan, &rules).await
}

/// Refuses a request without a key that is accepted, as each family does.
fn refuse_key(exchange: Exchange<'_>, given: bool) -> Response<MockBody> {
    match (exchange.family(), given) {
        (Family::Gemini, false) => exchange.refuse(
            ErrorKind::Permission,
            "Method doesn't allow unregistered callers. Please use an API key.",
        ),
        (Family::OpenAi, false) => {
            exchange.refuse(ErrorKind::Auth, "You didn't provide an API key in the Authorization header.")
        }
        (_, false) => exchange.refuse(ErrorKind::Auth, "x-api-key header is required"),
        (_, true) => exchange.error(ErrorKind::Auth, "", Hint::default(), None, &Plan::default()),
    }
}

fn check_headers(family: Family, head: &Parts) -> Result<(), &'static str> {
    if family == Family::Anthropic && !head.headers.contains_key("anthropic-version") {
        return Err("anthropic-version: header is required");
    }
    Ok(())
}

/// Reads a body, at the pace that the script sets; `None` when it is too large.
async fn read(mut body: Incoming, bytes_per_second: Option<u64>) -> Result<Option<Bytes>, Abort> {
    if bytes_per_second == Some(0) {
        std::future::pending::<()>().await;
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // A body that breaks off has nobody waiting for the answer.
        let Ok(data) = frame.map_err(|_| Abort)?.into_data() else { continue };
        if let Some(pace) = bytes_per_second {
            let micros = (data.len() as u64).saturating_mul(1_000_000) / pace.max(1);
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
        if first.len() + all.len() + data.len() > LARGEST_BODY {
            return Ok(None);
        }
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok(Some(if all.is_empty() { first } else { all.freeze() }))
}
