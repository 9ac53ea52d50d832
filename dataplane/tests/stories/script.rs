//! Providers that answer as they are told, byte by byte.

use crate::network::MemoryNet;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

/// One step of an answer.
#[derive(Clone, Debug)]
pub enum Step {
    /// These bytes at once.
    Send(String),
    /// Silence.
    Pause(Duration),
    /// Silence until the other side hangs up.
    Hang,
}

/// A provider. The n-th request gets the n-th answer; those beyond the last get the last again.
#[derive(Clone)]
pub struct Script {
    requests: Arc<Mutex<Vec<String>>>,
    hung_up: Arc<AtomicUsize>,
}

impl Script {
    /// Answers on `host`. A connection takes one request and closes after its answer.
    pub fn play(net: &MemoryNet, host: &str, answers: Vec<Vec<Step>>) -> Self {
        let script = Self { requests: Arc::default(), hung_up: Arc::default() };
        let mut connections = net.host(host);
        let playing = script.clone();
        tokio::spawn(async move {
            while let Some(connection) = connections.recv().await {
                tokio::spawn(serve(connection, playing.clone(), answers.clone()));
            }
        });
        script
    }

    /// Gives the requests so far, heads and bodies.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }

    /// Counts the requests so far that came with `key`.
    pub fn with_key(&self, key: &str) -> usize {
        let named = format!("authorization: Bearer {key}\r\n");
        self.requests().iter().filter(|request| request.contains(&named)).count()
    }

    /// Gives how often the node hung up while the script was silent.
    pub fn hung_up(&self) -> usize {
        self.hung_up.load(Ordering::Relaxed)
    }
}

async fn serve(mut connection: DuplexStream, script: Script, answers: Vec<Vec<Step>>) {
    let request = read_request(&mut connection).await;
    let number = {
        let mut requests = script.requests.lock().expect("no panic");
        requests.push(request);
        requests.len() - 1
    };
    for step in &answers[number.min(answers.len() - 1)] {
        match step {
            Step::Send(bytes) => {
                if connection.write_all(bytes.as_bytes()).await.is_err() {
                    return;
                }
            }
            Step::Pause(pause) => tokio::time::sleep(*pause).await,
            Step::Hang => {
                let _ = connection.read_u8().await;
                script.hung_up.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }
}

async fn read_request(connection: &mut DuplexStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().expect("a number")) {
                return text;
            }
        }
        let mut piece = [0; 4096];
        match connection.read(&mut piece).await.expect("a request") {
            0 => return text,
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// The head of an answer that ends with its connection.
pub fn head(status: &str, content_type: &str) -> Step {
    Step::Send(format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n"))
}

/// The head of a stream of events that ends with its connection.
pub fn events() -> Step {
    head("200 OK", "text/event-stream")
}

/// The head of a stream of events in chunks: without the last of them it has broken off.
pub fn chunked_events() -> Step {
    Step::Send(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".into(),
    )
}

/// One chunk of a chunked answer.
pub fn chunk(bytes: &str) -> Step {
    Step::Send(format!("{:x}\r\n{bytes}\r\n", bytes.len()))
}

/// Bytes as they are.
pub fn send(bytes: impl Into<String>) -> Step {
    Step::Send(bytes.into())
}

/// A whole answer.
pub fn document(status: &str, body: &str) -> Vec<Step> {
    vec![head(status, "application/json"), send(body)]
}

/// A refusal with a wait in seconds.
pub fn limited(seconds: u64) -> Vec<Step> {
    refused("429 Too Many Requests", &format!("retry-after: {seconds}\r\n"))
}

/// A refusal with further headers, each with its line's end.
pub fn refused(status: &str, headers: &str) -> Vec<Step> {
    const BODY: &str = r#"{"error":{"message":"not now","type":"x","param":null,"code":null}}"#;
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n");
    vec![send(format!("{head}{headers}\r\n{BODY}"))]
}

/// A whole answer of Chat Completions.
pub fn chat() -> Vec<Step> {
    document("200 OK", CHAT)
}

/// Its body.
pub const CHAT: &str = r#"{"id":"x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
