//! A provider that writes down every answer it gives.

use crate::{
    truth::Answered,
    world::{PROVIDER_PORT, World},
};
use bytes::Bytes;
use cliproxy_host::{Entropy, Net as _, ServeOptions, serve};
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// The most that the prompt of a request comes to which says how long its answer may be: no estimate is below.
const SHORT_PROMPT: u64 = 10;

/// Answers as the provider of that name until the run ends.
pub async fn run(world: Arc<World>, name: String) -> turmoil::Result {
    let listener = world.net.of(&name).listen(([0, 0, 0, 0], PROVIDER_PORT).into()).await?;
    let entropy = world.entropy(&name);
    serve(listener, ServeOptions::default(), CancellationToken::new(), move |peer| {
        let node = turmoil::reverse_lookup(peer.address.ip()).unwrap_or_default();
        let (world, name, entropy) = (Arc::clone(&world), name.clone(), entropy.clone());
        service_fn(move |request: Request<Incoming>| {
            let (world, name, entropy, node) =
                (Arc::clone(&world), name.clone(), entropy.clone(), node.clone());
            async move { Ok::<_, Infallible>(answer(&world, &name, &entropy, node, request).await) }
        })
    })
    .await;
    Ok(())
}

async fn answer(
    world: &World,
    name: &str,
    entropy: &Entropy,
    node: String,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let came = turmoil::sim_elapsed().unwrap_or_default();
    let key = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credential = key.and_then(|key| key.rsplit_once('.')).map_or("", |(_, name)| name).to_owned();
    if request.method() == Method::GET {
        return respond(world.verdict(name, "").0, None, r#"{"object":"list","data":[]}"#.to_owned());
    }
    // What follows is drawn in the order in which requests come in.
    let takes = Duration::from_micros(5_000 + entropy.next_u64() % 40_000);
    let tokens = (10 + entropy.next_u64() % 90, 1 + entropy.next_u64() % 50);
    let Ok(body) = request.into_body().collect().await else {
        return respond(400, None, String::new());
    };
    let body: serde_json::Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    let tokens = match body["max_tokens"].as_u64() {
        Some(most) => (tokens.0.min(SHORT_PROMPT), tokens.1.min(most)),
        None => tokens,
    };
    tokio::time::sleep(takes).await;
    let (status, retry_after) = world.verdict(name, &credential);
    let at = turmoil::sim_elapsed().unwrap_or_default();
    let provider = name.to_owned();
    let answered = Answered { came, at, node, provider, credential, model, status, tokens, retry_after };
    let Answered { node, credential, .. } = &answered;
    world.tell(name, &format!("{status} to {node} with {credential} {tokens:?} {retry_after:?}"));
    let text = if status == 200 { completion(&answered) } else { refusal(status) };
    world.truth.lock().expect("no panic").answered.push(answered);
    respond(status, retry_after, text)
}

fn refusal(status: u16) -> String {
    let kind = if status == 429 { "rate_limit_error" } else { "server_error" };
    serde_json::json!({"error": {"message": "not now", "type": kind, "code": null}}).to_string()
}

fn completion(answered: &Answered) -> String {
    let (input, output) = answered.tokens;
    serde_json::json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_800_000_000,
        "model": answered.model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": "Yes."},
            "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output},
    })
    .to_string()
}

fn respond(status: u16, retry_after: Option<Duration>, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    if let Some(wait) = retry_after {
        response = response.header(header::RETRY_AFTER, wait.as_secs());
    }
    response.body(Full::new(text.into())).expect("a response")
}
