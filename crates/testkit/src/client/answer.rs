//! Answers: whole, or piece by piece.

use super::sse::{Event, Reader};
use anyhow::{Context as _, bail};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use std::time::Duration;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Gives a header; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        header(&self.headers, name)
    }

    /// Gives the body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.body) {
            Ok(text) => text,
            Err(error) => panic!("the body is no text: {error}"),
        }
    }

    /// Reads the body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("the body is no JSON: {error}: {}", self.text()),
        }
    }

    /// Reads the body as server-sent events.
    ///
    /// # Panics
    /// When it ends inside an event.
    pub fn events(&self) -> Vec<Event> {
        let mut reader = Reader::default();
        let events = reader.push(&self.body);
        assert!(reader.is_empty(), "the body ends inside an event: {}", self.text());
        events
    }
}

/// An answer whose body is still coming.
#[derive(Debug)]
pub struct Stream {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    patience: Duration,
    reader: Reader,
    ready: std::collections::VecDeque<Event>,
}

impl Stream {
    pub(super) fn new(response: Response<Incoming>, patience: Duration) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            patience,
            reader: Reader::default(),
            ready: Default::default(),
        }
    }

    /// Gives a header; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        header(&self.headers, name)
    }

    /// Gives the next piece as the connection delivered it; `None` at the body's proper end.
    ///
    /// # Errors
    /// The body broke off, or nothing came in time.
    pub async fn chunk(&mut self) -> anyhow::Result<Option<Bytes>> {
        loop {
            let Ok(frame) = tokio::time::timeout(self.patience, self.body.frame()).await else {
                bail!("no piece of the body came within {:?}", self.patience);
            };
            match frame.transpose().context("the body broke off")? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Gives the next server-sent event, comments included; `None` at the body's proper end.
    ///
    /// # Errors
    /// The body broke off or ended inside an event, or nothing came in time.
    pub async fn event(&mut self) -> anyhow::Result<Option<Event>> {
        while self.ready.is_empty() {
            match self.chunk().await? {
                Some(piece) => self.ready.extend(self.reader.push(&piece)),
                None if self.reader.is_empty() => return Ok(None),
                None => bail!("the body ended inside an event"),
            }
        }
        Ok(self.ready.pop_front())
    }

    /// Reads the rest; bytes that [`Stream::event`] has taken are not part of it.
    ///
    /// # Errors
    /// The body broke off, or nothing came in time.
    pub async fn whole(mut self) -> anyhow::Result<Answer> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.chunk().await? {
            body.extend_from_slice(&piece);
        }
        Ok(Answer { status: self.status, headers: self.headers, body: body.freeze() })
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
