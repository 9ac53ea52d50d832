//! A little traffic in all three APIs, and a line that tells how it goes.

use super::{PROVIDERS, configuration};
use crate::terminal;
use anyhow::Context as _;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How it goes.
#[derive(Default)]
pub struct Progress {
    ok: AtomicU64,
    failed: AtomicU64,
    failed_over: AtomicU64,
    down: Mutex<Option<usize>>,
}

impl Progress {
    /// Notes which simulated provider is down.
    pub fn down(&self, provider: Option<usize>) {
        *self.down.lock().unwrap_or_else(PoisonError::into_inner) = provider;
    }

    fn line(&self) -> String {
        let down = match *self.down.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(index) => {
                format!("{} is down ({})", PROVIDERS[index], configuration::names(index).join(" and "))
            }
            None => "all providers are up".to_owned(),
        };
        format!(
            "requests ok {}, failed {}, saved by failover {}; {down}",
            self.ok.load(Ordering::Relaxed),
            self.failed.load(Ordering::Relaxed),
            self.failed_over.load(Ordering::Relaxed),
        )
    }
}

/// Requests in turn: path and body.
const REQUESTS: [(&str, &str); 4] = [
    (
        "/v1/chat/completions",
        r#"{"model":"smart","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hello"}]}"#,
    ),
    (
        "/v1/messages",
        r#"{"model":"smart","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hello"}]}"#,
    ),
    ("/v1beta/models/smart:generateContent", r#"{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}"#),
    ("/v1/responses", r#"{"model":"smart","input":"Hello"}"#),
];

const PAUSE: Duration = Duration::from_millis(500);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Sends a request each half second, and prints a line every five, until `shutdown`.
pub async fn run(gateway: SocketAddr, progress: Arc<Progress>, shutdown: CancellationToken) {
    let sending = async {
        for (path, body) in REQUESTS.iter().cycle() {
            let progress = Arc::clone(&progress);
            tokio::spawn(async move {
                match one(gateway, path, body).await {
                    Ok(attempts) => {
                        progress.ok.fetch_add(1, Ordering::Relaxed);
                        if attempts > 1 {
                            progress.failed_over.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    Err(error) => {
                        progress.failed.fetch_add(1, Ordering::Relaxed);
                        tracing::warn!(
                            error = format!("{error:#}"),
                            path,
                            "a request of the demonstration failed"
                        );
                    }
                }
            });
            tokio::time::sleep(PAUSE).await;
        }
    };
    let telling = async {
        loop {
            tokio::time::sleep(LINE_EVERY).await;
            terminal::say(&progress.line());
        }
    };
    tokio::select! {
        () = sending => {}
        () = telling => {}
        () = shutdown.cancelled() => {}
    }
}

/// Sends one request and reads its whole answer; gives how many upstream calls it took.
async fn one(gateway: SocketAddr, path: &str, body: &'static str) -> anyhow::Result<u32> {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(format!("http://{gateway}{path}"))
        .header("content-type", "application/json")
        .header("anthropic-version", "2023-06-01")
        .body(Full::new(Bytes::from_static(body.as_bytes())))?;
    let response = client.request(request).await?;
    let (head, body) = response.into_parts();
    body.collect().await.context("the answer broke off")?;
    anyhow::ensure!(head.status.is_success(), "status {}", head.status);
    let attempts =
        head.headers.get("x-cliproxy-attempts").and_then(|value| value.to_str().ok()?.parse().ok());
    Ok(attempts.unwrap_or(1))
}
