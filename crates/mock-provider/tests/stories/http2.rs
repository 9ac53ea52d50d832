//! Cleartext HTTP/2 with prior knowledge.

use crate::client::{PATIENCE, generating, mock};
use bytes::Bytes;
use cliproxy_mock_provider::{Behaviour, MockProvider, Point, Rule, Script};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};

async fn connect(mock: &MockProvider) -> SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(mock.addr()).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    (_, path, body): (&str, String, String),
) -> Result<Response<Incoming>, hyper::Error> {
    let request = Request::post(format!("http://mock{path}"))
        .header("authorization", "Bearer sk-test-key")
        .header("anthropic-version", "2023-06-01")
        .body(Full::new(body.into()))
        .unwrap();
    sender.send_request(request).await
}

#[tokio::test]
async fn streams_run_side_by_side_on_one_connection() {
    let mock = mock(Script::default());
    let mut sender = connect(&mock).await;
    let mut other = sender.clone();
    for request in generating(true) {
        let (one, two) = tokio::join!(send(&mut other, request.clone()), send(&mut sender, request.clone()));
        for response in [one.unwrap(), two.unwrap()] {
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(body.starts_with(b"data: ") || body.starts_with(b"event: "));
        }
    }
    let totals = mock.wait_for(PATIENCE, |totals| totals.completed == 8).await.unwrap();
    assert_eq!(totals.in_flight, 0);
}

#[tokio::test]
async fn a_reset_takes_one_stream_and_leaves_the_connection() {
    let mock = mock(Rule::new(Behaviour::Reset { at: Point::AfterEvents(2) }).for_model("claude-*"));
    let mut sender = connect(&mock).await;
    let [chat, _, messages, _] = generating(true);
    let broken = send(&mut sender, messages).await.unwrap().into_body().collect().await;
    assert!(broken.is_err());
    let good = send(&mut sender, chat).await.unwrap().into_body().collect().await.unwrap();
    assert!(good.to_bytes().ends_with(b"data: [DONE]\n\n"));
    mock.wait_for(PATIENCE, |totals| totals.broken == 1 && totals.completed == 1).await.unwrap();
}

#[tokio::test]
async fn a_client_that_drops_a_stream_is_seen() {
    let mock = mock(Behaviour::Hang { at: Point::AfterEvents(1) });
    let mut sender = connect(&mock).await;
    let [chat, ..] = generating(true);
    let response = send(&mut sender, chat).await.unwrap();
    mock.wait_for(PATIENCE, |totals| totals.in_flight == 1).await.unwrap();
    drop(response);
    mock.wait_for(PATIENCE, |totals| totals.cancelled == 1).await.unwrap();
}
