//! The provider at the end of every path: it answers OpenAI chat completions from memory, so that its own cost
//! is small and the same for all.

use super::role;
use http_body_util::{BodyExt, Either, Full};
use hyper::{
    Request, Response,
    body::{Body, Bytes, Frame, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep},
};

/// The events of a streamed answer, each sent by itself.
pub(super) const CHUNKS: u64 = 100;
/// The time between two events: long enough that no process falls behind and joins two of them.
const CHUNK_GAP: Duration = Duration::from_millis(5);

/// Answers until the parent process ends.
pub(crate) async fn run(listen: SocketAddr) -> anyhow::Result<()> {
    let listener = role::listen(listen)?;
    let replies = Replies::new();
    let mut gone = std::pin::pin!(role::parent_gone());
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that broke before it was accepted concerns nobody.
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(serve(stream, replies.clone()));
                }
            }
            () = &mut gone => return Ok(()),
        }
    }
}

#[derive(Clone)]
struct Replies {
    whole: Bytes,
    chunk: Bytes,
    last_chunk: Bytes,
}

async fn serve(stream: TcpStream, replies: Replies) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(request, &replies));
    // The driver notices a broken connection; here is nobody to tell.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    replies: &Replies,
) -> Result<Response<Either<Full<Bytes>, Paced>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let (content_type, body) = if wants_stream(&body) {
        ("text/event-stream", Either::Right(Paced::new(replies.clone())))
    } else {
        ("application/json", Either::Left(Full::new(replies.whole.clone())))
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}

/// Looks where the driver writes the field: among the first bytes of the body.
fn wants_stream(body: &[u8]) -> bool {
    const FIELD: &[u8] = b"\"stream\":true";
    body[..body.len().min(128)].windows(FIELD.len()).any(|window| window == FIELD)
}

impl Replies {
    fn new() -> Self {
        let whole = serde_json::json!({
            "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_771_542_000, "model": "bench-model",
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": "All is well with the world. ".repeat(26), "refusal": null},
                "logprobs": null, "finish_reason": "stop",
            }],
            "usage": {"prompt_tokens": 220, "completion_tokens": 180, "total_tokens": 400},
            "system_fingerprint": "fp_bench",
        });
        let last = "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1771542000,\
                    \"model\":\"bench-model\",\"choices\":[],\"usage\":{\"prompt_tokens\":220,\
                    \"completion_tokens\":99,\"total_tokens\":319}}";
        let chunk = "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1771542000,\
                     \"model\":\"bench-model\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench\",\
                     \"choices\":[{\"index\":0,\"delta\":{\"content\":\" a word or two\"},\"logprobs\":null,\
                     \"finish_reason\":null}],\"usage\":null}";
        Self {
            whole: Bytes::from(whole.to_string()),
            chunk: Bytes::from(format!("data: {chunk}\n\n")),
            last_chunk: Bytes::from(format!("data: {last}\n\ndata: [DONE]\n\n")),
        }
    }
}

/// A body of [`CHUNKS`] events: the first at once, then one every [`CHUNK_GAP`].
struct Paced {
    replies: Replies,
    sent: u64,
    next: Pin<Box<Sleep>>,
}

impl Paced {
    fn new(replies: Replies) -> Self {
        Self { replies, sent: 0, next: Box::pin(tokio::time::sleep(CHUNK_GAP)) }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.sent == CHUNKS {
            return Poll::Ready(None);
        }
        if self.sent > 0 {
            ready!(self.next.as_mut().poll(cx));
        }
        self.sent += 1;
        self.next.as_mut().reset(Instant::now() + CHUNK_GAP);
        let replies = &self.replies;
        let chunk = if self.sent == CHUNKS { &replies.last_chunk } else { &replies.chunk };
        Poll::Ready(Some(Ok(Frame::data(chunk.clone()))))
    }
}
