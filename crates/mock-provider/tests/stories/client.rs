//! A client that shows exactly what came over the wire.

use cliproxy_mock_provider::{MockOptions, MockProvider, Script};
use serde_json::Value;
use std::{
    io,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The longest a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a mock provider with a script.
pub fn mock(script: impl Into<Script>) -> MockProvider {
    MockProvider::start(MockOptions { script: script.into(), ..MockOptions::default() }).unwrap()
}

/// Reads the clock, for a lower bound of how long something took.
#[expect(clippy::disallowed_methods, reason = "the mock keeps real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// What came back on a connection until it ended.
#[derive(Debug)]
pub struct Received {
    pub status: u16,
    pub head: String,
    /// The body without its chunk framing.
    pub body: Vec<u8>,
    /// Tells whether the body's framing was complete.
    pub complete: bool,
    /// How reading ended, when not with the end of the connection.
    pub error: Option<io::ErrorKind>,
}

impl Received {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Splits the body into server-sent events: the name (or none) and the data.
    pub fn events(&self) -> Vec<(Option<String>, String)> {
        let text = self.text().replace("\r\n", "\n");
        let mut events = Vec::new();
        for block in text.split("\n\n").filter(|block| !block.is_empty()) {
            let field = |name: &str| {
                let prefix = format!("{name}: ");
                block.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
            };
            events.push((field("event"), field("data").unwrap_or_else(|| panic!("no data in {block:?}"))));
        }
        events
    }
}

/// The endpoints that generate, with a request that asks for an answer or a stream.
pub fn generating(stream: bool) -> [(&'static str, String, String); 4] {
    let chat =
        format!(r#"{{"model":"gpt-x","stream":{stream},"messages":[{{"role":"user","content":"hi"}}]}}"#);
    let responses = format!(r#"{{"model":"gpt-x","stream":{stream},"input":"hi"}}"#);
    let messages = format!(
        r#"{{"model":"claude-x","stream":{stream},"max_tokens":9,"messages":[{{"role":"user","content":"hi"}}]}}"#
    );
    let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#.to_owned();
    let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    [
        ("chat", "/v1/chat/completions".into(), chat),
        ("responses", "/v1/responses".into(), responses),
        ("messages", "/v1/messages".into(), messages),
        ("gemini", format!("/v1beta/models/gemini-x:{verb}"), gemini),
    ]
}

/// Sends a request to `/v1/chat/completions`.
pub async fn chat(mock: &MockProvider, stream: bool) -> Received {
    let [(_, path, body), ..] = generating(stream);
    post(mock, &path, &body).await
}

/// Sends a request with every family's headers and reads until the connection ends.
pub async fn post(mock: &MockProvider, path: &str, body: &str) -> Received {
    request(mock, "POST", path, body).await
}

/// The same for any method.
pub async fn request(mock: &MockProvider, method: &str, path: &str, body: &str) -> Received {
    let mut stream = open(mock, method, path, body).await;
    finish(&mut stream).await
}

/// Connects and sends a request, but reads nothing.
pub async fn open(mock: &MockProvider, method: &str, path: &str, body: &str) -> TcpStream {
    open_with(mock, "sk-test-key", method, path, body).await
}

/// The same with another key.
pub async fn open_with(mock: &MockProvider, key: &str, method: &str, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(mock.addr()).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\
         anthropic-version: 2023-06-01\r\nx-request-id: from-client\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream
}

/// Reads until the connection ends.
pub async fn finish(stream: &mut TcpStream) -> Received {
    let mut all = Vec::new();
    let mut error = None;
    loop {
        let mut buffer = vec![0; 65_536];
        match tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("no end in time") {
            Ok(0) => break,
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(problem) => {
                error = Some(problem.kind());
                break;
            }
        }
    }
    parse(&all, error)
}

/// Reads until the text `mark` has come.
pub async fn read_until(stream: &mut TcpStream, mark: &str) -> String {
    let mut all = Vec::new();
    loop {
        let mut buffer = [0; 4_096];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("too late");
        let count = read.unwrap();
        assert!(count > 0, "the end came before {mark:?}: {}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&all);
        if text.contains(mark) {
            return text.into_owned();
        }
    }
}

fn parse(all: &[u8], error: Option<io::ErrorKind>) -> Received {
    let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") else {
        let head = String::from_utf8_lossy(all).into_owned();
        return Received { status: 0, head, body: Vec::new(), complete: false, error };
    };
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let rest = &all[end + 4..];
    let mut received = Received { status, head, body: rest.to_vec(), complete: true, error };
    if received.header("transfer-encoding") == Some("chunked") {
        (received.body, received.complete) = dechunk(rest);
    } else if let Some(length) = received.header("content-length") {
        received.complete = length.parse::<usize>().unwrap() == rest.len();
    }
    received
}

fn dechunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let chunk = &rest[end + 2..];
        body.extend_from_slice(&chunk[..size.min(chunk.len())]);
        rest = chunk.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}
