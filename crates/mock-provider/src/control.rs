//! The control endpoints under `/__mock/`: script, log, health. They need no key and are not logged.

use crate::{
    body::MockBody,
    clock,
    log::Log,
    provider::Server,
    route::query_value,
    rules::ScriptError,
    script::{Behaviour, Rule, Script},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The start of every control path.
pub(crate) const PREFIX: &str = "/__mock/";
/// The largest script that is read.
const LARGEST_SCRIPT: usize = 64 << 20;
/// Entries in a log when the query does not say.
const ENTRIES: usize = 1_000;

/// Serves a control request.
pub(crate) async fn serve(server: &Server, request: Request<Incoming>) -> Response<MockBody> {
    let (head, body) = request.into_parts();
    let endpoint = &head.uri.path()[PREFIX.len()..];
    match (endpoint, &head.method) {
        ("behaviour", &Method::GET) => json_of(StatusCode::OK, &server.rules().script()),
        ("behaviour", &Method::PUT) => set(body, |script: Script| server.set(script)).await,
        ("behaviour/rules", &Method::PUT) => set(body, |rules: Vec<Rule>| server.set_rules(rules)).await,
        ("behaviour/health", &Method::PUT) => set(body, |health: Behaviour| server.set_health(health)).await,
        ("behaviour", &Method::DELETE) => done(server.restore()),
        ("log", &Method::GET) => {
            let number = |name| query_value(&head.uri, name).and_then(|value| value.parse::<usize>().ok());
            let log = server.book.copy(number("entries").unwrap_or(ENTRIES));
            json_of(StatusCode::OK, &without_bodies(log, number("bodies") == Some(1)))
        }
        ("log", &Method::DELETE) => {
            server.book.clear();
            answer(StatusCode::NO_CONTENT, Bytes::new())
        }
        ("health", &Method::GET) => {
            let health = json!({"status": "ok", "name": server.name, "now_us": clock::micros(server.epoch)});
            json_of(StatusCode::OK, &health)
        }
        ("behaviour" | "behaviour/rules" | "behaviour/health" | "log" | "health", method) => {
            let problem = format!("{method} is not possible on {}", head.uri.path());
            error(StatusCode::METHOD_NOT_ALLOWED, &problem)
        }
        _ => error(StatusCode::NOT_FOUND, "there are /__mock/behaviour, /__mock/log and /__mock/health"),
    }
}

/// Reads what is put and hands it to `apply`.
async fn set<T: DeserializeOwned>(
    body: Incoming,
    apply: impl FnOnce(T) -> Result<(), ScriptError>,
) -> Response<MockBody> {
    let body = match Limited::new(body, LARGEST_SCRIPT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(problem) => return error(StatusCode::BAD_REQUEST, &format!("cannot read the script: {problem}")),
    };
    match serde_json::from_slice(&body) {
        Ok(parsed) => done(apply(parsed)),
        Err(problem) => error(StatusCode::BAD_REQUEST, &format!("the script does not parse: {problem}")),
    }
}

fn without_bodies(mut log: Log, keep: bool) -> Log {
    if !keep {
        for entry in &mut log.entries {
            entry.body = None;
        }
    }
    log
}

fn done(result: Result<(), ScriptError>) -> Response<MockBody> {
    match result {
        Ok(()) => answer(StatusCode::NO_CONTENT, Bytes::new()),
        Err(problem) => error(StatusCode::BAD_REQUEST, &problem.to_string()),
    }
}

fn error(status: StatusCode, problem: &str) -> Response<MockBody> {
    json_of(status, &Value::from_iter([("error", problem)]))
}

fn json_of(status: StatusCode, value: &impl serde::Serialize) -> Response<MockBody> {
    match serde_json::to_vec(value) {
        Ok(json) => answer(status, json.into()),
        Err(problem) => answer(StatusCode::INTERNAL_SERVER_ERROR, problem.to_string().into()),
    }
}

fn answer(status: StatusCode, json: Bytes) -> Response<MockBody> {
    let mut response = Response::new(MockBody::whole(json, None));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
