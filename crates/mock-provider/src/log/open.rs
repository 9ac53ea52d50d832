//! A request that is not finished.

use super::{Book, Entry, Outcome};
use crate::{
    clock,
    script::{Family, Operation, Usage},
};
use bytes::Bytes;
use std::{sync::Arc, time::Instant};
use xxhash_rust::xxh3::xxh3_128;

/// Follows one request to its end. Dropping it before [`Open::finish`] says that the client left.
#[derive(Debug)]
pub(crate) struct Open {
    book: Arc<Book>,
    epoch: Instant,
    /// The era of the totals in which the request was counted; `None` until it was.
    era: Option<u64>,
    /// Taken when the request is finished.
    entry: Option<Box<Entry>>,
}

impl Open {
    /// Opens a request with what its head says.
    pub(crate) fn new(book: Arc<Book>, epoch: Instant, head: &http::request::Parts) -> Self {
        let entry = Entry {
            id: book.next_id(),
            request_id: head
                .headers
                .get("x-request-id")
                .and_then(|id| id.to_str().ok())
                .map(|id| id.chars().take(128).collect::<String>().into()),
            key: "".into(),
            model: "".into(),
            family: None,
            operation: None,
            stream: false,
            path: head.uri.path().into(),
            headers: head.headers.keys().cloned().collect(),
            body_bytes: 0,
            body_xxh3: 0,
            started_us: clock::micros(epoch),
            finished_us: 0,
            status: 0,
            outcome: Outcome::Cancelled,
            events: 0,
            usage: None,
            body: None,
        };
        Self { book, epoch, era: None, entry: Some(Box::new(entry)) }
    }

    /// Notes what is asked for and by whom.
    pub(crate) fn asked(&mut self, family: Family, operation: Operation, key: Arc<str>) {
        self.edit(|entry| {
            entry.family = Some(family);
            entry.operation = Some(operation);
            entry.key = key;
        });
    }

    /// Notes the body.
    pub(crate) fn body(&mut self, body: &Bytes) {
        let keeps_bodies = self.book.keeps_bodies();
        self.edit(|entry| {
            entry.body_bytes = body.len() as u64;
            entry.body_xxh3 = xxh3_128(body);
            entry.body = keeps_bodies.then(|| body.clone());
        });
    }

    /// Gives the number of the request.
    pub(crate) fn id(&self) -> u64 {
        self.entry.as_ref().map_or(0, |entry| entry.id)
    }

    /// Gives the length of the body.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.entry.as_ref().map_or(0, |entry| entry.body_bytes)
    }

    /// Gives the hash of the body.
    pub(crate) fn body_hash(&self) -> u128 {
        self.entry.as_ref().map_or(0, |entry| entry.body_xxh3)
    }

    /// Counts the request as begun under its key and `model`.
    pub(crate) fn start(&mut self, model: &str, stream: bool) {
        self.edit(|entry| {
            entry.model = model.into();
            entry.stream = stream;
        });
        self.count();
    }

    /// Notes the status that is answered.
    pub(crate) fn status(&mut self, status: u16) {
        self.edit(|entry| entry.status = status);
    }

    /// Notes one more event of the answer.
    pub(crate) fn event(&mut self) {
        self.edit(|entry| entry.events += 1);
    }

    /// Says how the request ended; `usage` is what the answer reported.
    pub(crate) fn finish(mut self, outcome: Outcome, usage: Option<Usage>) {
        self.close(outcome, usage);
    }

    fn count(&mut self) {
        if let (None, Some(entry)) = (self.era, &self.entry) {
            self.era = Some(self.book.start(entry));
        }
    }

    fn close(&mut self, outcome: Outcome, usage: Option<Usage>) {
        self.count();
        if let (Some(era), Some(mut entry)) = (self.era, self.entry.take()) {
            entry.outcome = outcome;
            entry.usage = usage;
            entry.finished_us = clock::micros(self.epoch);
            self.book.finish(era, *entry);
        }
    }

    fn edit(&mut self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = &mut self.entry {
            change(entry);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.entry.is_some() {
            self.close(Outcome::Cancelled, None);
        }
    }
}
