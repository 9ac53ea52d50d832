//! Requests that were, with why they went where they went: all that failed, all that took more than one call, and a
//! sample of the others.

use super::{Accounts, Record};
use crate::encode::Ending;
use cliproxy_domain::{RequestId, RequestRecord};
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use xxhash_rust::xxh3::xxh3_64;

/// Records that a node keeps; the oldest leave first.
const KEPT: usize = 10_000;
/// One of so many requests that succeed is kept.
const SAMPLED_OF: u64 = 100;

/// The newest records of this node, for the time without a control plane, and the way of all of them to it.
pub struct Records {
    newest: Mutex<VecDeque<Arc<RequestRecord>>>,
    up: mpsc::Sender<RequestRecord>,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It goes to the control plane.
    Kept,
    /// Too many wait for the control plane; this node alone has it.
    Dropped,
}

impl Kept {
    pub(super) const ALL: [Kept; 2] = [Kept::Kept, Kept::Dropped];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kept::Kept => "kept",
            Kept::Dropped => "dropped",
        }
    }
}

impl Records {
    /// Keeps records, and hands each to `up` as well.
    pub fn new(up: mpsc::Sender<RequestRecord>) -> Self {
        Self { newest: Mutex::default(), up }
    }

    /// Finds the newest record of a request on this node.
    pub fn find(&self, id: &str) -> Option<Arc<RequestRecord>> {
        self.newest.lock().iter().rfind(|record| record.id == id).cloned()
    }

    fn keep(&self, record: RequestRecord) -> Kept {
        let kept = match self.up.try_send(record.clone()) {
            Ok(()) => Kept::Kept,
            Err(_) => Kept::Dropped,
        };
        let mut newest = self.newest.lock();
        if newest.len() == KEPT {
            newest.pop_front();
        }
        newest.push_back(Arc::new(record));
        kept
    }
}

/// Tells whether a request is kept even if it succeeds: by its id alone, so that whoever asks again gets the same answer.
pub(super) fn is_sampled(id: &RequestId) -> bool {
    xxh3_64(id.as_str().as_bytes()).is_multiple_of(SAMPLED_OF)
}

impl Accounts {
    /// Keeps a request that ended, where it is one of those that are kept. What nobody could read, as a body that is no
    /// JSON or a path that is not there, is not: there was nothing to decide.
    pub(super) fn keep(&self, record: &Record, ending: &Ending, latency: Duration) {
        let told =
            record.sampled || ending.forwarded || ending.error_type.is_some() || record.legs.is_eventful();
        let Some(dialect) = record.asked.filter(|_| told) else { return };
        let decision = record.decided.as_ref().map(|decided| decided.explain(&record.model, &self.node));
        let caller = record.caller.as_ref();
        let kept = self.records.keep(RequestRecord {
            id: record.id.as_str().to_owned(),
            node: self.node.clone(),
            at: record.at,
            api: dialect.as_str().to_owned(),
            outcome: ending.error_type.unwrap_or("success").to_owned(),
            code: ending.refused.as_ref().map(|told| told.code.to_owned()),
            why: ending
                .refused
                .as_ref()
                .map(|told| told.message.clone())
                .or_else(|| record.legs.ended_early()),
            served_by: ending.forwarded.then(|| "backup".to_owned()),
            status: record.status,
            latency_ms: u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
            decision,
            client: record.client().cloned(),
            key: caller.and_then(|caller| Some(caller.key?.id())),
            tags: caller.and_then(|caller| Some(caller.client.as_ref()?.tags.clone())).unwrap_or_default(),
            attempts: record.legs.records(record.started),
        });
        self.decisions.record(kept.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::WallTime;

    fn record(id: String) -> RequestRecord {
        RequestRecord {
            id,
            node: "n".into(),
            at: WallTime(0),
            api: "anthropic".into(),
            outcome: "success".into(),
            code: None,
            why: None,
            served_by: None,
            status: 200,
            latency_ms: 1,
            decision: None,
            client: None,
            key: None,
            tags: Default::default(),
            attempts: Vec::new(),
        }
    }

    #[test]
    fn the_newest_are_found_and_what_nobody_takes_is_counted_as_dropped() {
        let (up, mut down) = mpsc::channel(1);
        let records = Records::new(up);
        assert_eq!(records.keep(record("first".into())), Kept::Kept);
        assert_eq!(records.keep(record("second".into())), Kept::Dropped);
        assert_eq!(down.try_recv().unwrap().id, "first");
        assert!(records.find("second").is_some(), "this node still has it");
        for number in 0..KEPT {
            records.keep(record(number.to_string()));
        }
        assert!(records.find("second").is_none());
        assert_eq!(records.newest.lock().len(), KEPT);
    }

    #[test]
    fn about_one_request_in_a_hundred_is_sampled_and_always_the_same() {
        let ids: Vec<RequestId> = (0..20_000).map(|n| RequestId::from(format!("req-{n}"))).collect();
        let sampled = ids.iter().filter(|id| is_sampled(id)).count();
        assert!((120..280).contains(&sampled), "{sampled}");
        assert!(ids.iter().all(|id| is_sampled(id) == is_sampled(&id.clone())));
    }
}
