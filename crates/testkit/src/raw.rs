//! A TCP connection for HTTP that no client library would send, or read on.

use crate::poll::PATIENCE;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A connection.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    received: Vec<u8>,
}

/// What came back on a connection until it ended.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    /// The status; 0 when no head came.
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// The body, chunk framing included.
    pub body: Vec<u8>,
    /// How reading ended, when not with the orderly end of the connection.
    pub error: Option<io::ErrorKind>,
}

impl RawAnswer {
    /// Gives a header; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    /// Gives the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Raw {
    /// Connects.
    ///
    /// # Panics
    /// When the server does not accept.
    pub async fn connect(server: SocketAddr) -> Self {
        match TcpStream::connect(server).await {
            Ok(stream) => {
                // Without it small pieces would be joined; a socket that refuses still works.
                let _ = stream.set_nodelay(true);
                Self { stream, received: Vec::new() }
            }
            Err(error) => panic!("no connection to {server}: {error}"),
        }
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The server has closed the connection.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Reads until the text `mark` has come, and gives everything that has.
    ///
    /// # Panics
    /// When it does not come in time, or the connection ends before.
    pub async fn read_until(&mut self, mark: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.received).into_owned();
            if text.contains(mark) {
                return text;
            }
            match self.read(PATIENCE).await {
                Some(Ok(count)) if count > 0 => {}
                other => panic!("{mark:?} did not come ({other:?}) but {text:?}"),
            }
        }
    }

    /// Reads until the connection ends.
    ///
    /// # Panics
    /// When it does not end although nothing comes for as long as `limit`.
    pub async fn finish(mut self, limit: Duration) -> RawAnswer {
        let error = loop {
            match self.read(limit).await {
                Some(Ok(0)) => break None,
                Some(Ok(_)) => {}
                Some(Err(error)) => break Some(error.kind()),
                None => panic!(
                    "the connection was still open after {limit:?}: {}",
                    String::from_utf8_lossy(&self.received)
                ),
            }
        };
        answer(&self.received, error)
    }

    /// Gives what has come; `None` when nothing came within `limit`.
    async fn read(&mut self, limit: Duration) -> Option<io::Result<usize>> {
        let mut buffer = vec![0; 16_384];
        let read = tokio::time::timeout(limit, self.stream.read(&mut buffer)).await.ok()?;
        if let Ok(count) = read {
            self.received.extend_from_slice(&buffer[..count]);
        }
        Some(read)
    }
}

fn answer(all: &[u8], error: Option<io::ErrorKind>) -> RawAnswer {
    let end = all.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = match end {
        Some(end) => (&all[..end], all[end + 4..].to_vec()),
        None => (all, Vec::new()),
    };
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    RawAnswer { status, head, body, error }
}
