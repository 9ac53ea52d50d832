//! Sends urgent events up as they happen.

use super::connect::SessionError;
use cliproxy_domain::{UrgentEvent, UrgentKind};
use cliproxy_host::Clock;
use cliproxy_proto::{convert::telemetry::event_to_wire, v1, v1::telemetry_client::TelemetryClient};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

/// Events that are not acknowledged yet; more push out the oldest, which the ledger has counted.
const MAX_UNACKED: usize = 256;
/// A permit that was wanted so long ago is wanted no more: whoever still wants it asks again.
const STALE_WISH: Duration = Duration::from_secs(2);

/// Events on their way. It outlives sessions: what was not acknowledged is sent again to the next control plane, with
/// the age that it has by then.
pub(super) struct Outbox {
    clock: Arc<dyn Clock>,
    unacked: Mutex<Unacked>,
    changed: Notify,
}

#[derive(Default)]
struct Unacked {
    events: VecDeque<Kept>,
    /// How many events ever came: the number of the next.
    next: u64,
}

struct Kept {
    number: u64,
    event: UrgentEvent,
    at: Instant,
}

impl Outbox {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, unacked: Mutex::default(), changed: Notify::new() }
    }

    /// Takes events as they happen, for as long as it is polled: while no control plane is connected as well, so that
    /// each is as old as it is.
    pub(super) async fn collect(&self, mut incoming: mpsc::Receiver<UrgentEvent>) {
        while let Some(event) = incoming.recv().await {
            self.keep(event);
        }
        std::future::pending().await
    }

    fn keep(&self, event: UrgentEvent) {
        let mut unacked = self.unacked.lock();
        if unacked.events.len() == MAX_UNACKED {
            unacked.events.pop_front();
        }
        let number = unacked.next;
        unacked.next += 1;
        unacked.events.push_back(Kept { number, event, at: self.clock.now() });
        drop(unacked);
        self.changed.notify_one();
    }

    /// Sends events, those of before first, and takes acknowledgements until the connection fails.
    pub(super) async fn run(&self, channel: Channel) -> SessionError {
        let (up, stream) = mpsc::channel(MAX_UNACKED);
        let mut client = TelemetryClient::new(channel);
        let mut acks = match client.events(ReceiverStream::new(stream)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return status.into(),
        };
        let mut sent = 0;
        loop {
            for message in self.unsent(&mut sent) {
                if up.send(message).await.is_err() {
                    return SessionError::Closed;
                }
            }
            tokio::select! {
                () = self.changed.notified() => {}
                ack = acks.message() => match ack {
                    Ok(Some(ack)) => self.acknowledged(&ack.event_id),
                    Ok(None) => return SessionError::Closed,
                    Err(status) => return status.into(),
                },
            }
        }
    }

    /// Gives what has not been sent in this session, as old as it is now. `sent` is the number to go on from.
    fn unsent(&self, sent: &mut u64) -> Vec<v1::UrgentEvent> {
        let now = self.clock.now();
        let mut unacked = self.unacked.lock();
        unacked.events.retain(|kept| {
            kept.event.kind != UrgentKind::PermitWanted || now.saturating_duration_since(kept.at) < STALE_WISH
        });
        let new = unacked.events.iter().filter(|kept| kept.number >= *sent);
        let messages = new.map(|kept| {
            let age = kept.event.age + now.saturating_duration_since(kept.at);
            event_to_wire(&UrgentEvent { age, ..kept.event.clone() })
        });
        let messages = messages.collect();
        *sent = unacked.next;
        messages
    }

    fn acknowledged(&self, id: &str) {
        self.unacked.lock().events.retain(|kept| kept.event.id != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::LedgerKey;
    use cliproxy_host::SystemClock;

    fn event(id: &str, kind: UrgentKind) -> UrgentEvent {
        UrgentEvent {
            id: id.to_owned(),
            node: "n".into(),
            kind,
            subject: LedgerKey { provider: "p".into(), credential: "c".into(), model: "m".into() },
            about_model: false,
            rest: None,
            http_status: 429,
            error_type: "rate_limit".to_owned(),
            hint: Some(Duration::from_secs(20)),
            seen_epoch: 0,
            age: Duration::ZERO,
        }
    }

    /// Makes an outbox whose events came so long ago.
    fn outbox(events: &[(&str, UrgentKind, Duration)]) -> Outbox {
        let outbox = Outbox::new(Arc::new(SystemClock));
        for (id, kind, ago) in events {
            outbox.keep(event(id, *kind));
            outbox.unacked.lock().events.back_mut().unwrap().at -= *ago;
        }
        outbox
    }

    fn ids(messages: &[v1::UrgentEvent]) -> Vec<&str> {
        messages.iter().map(|message| message.event_id.as_str()).collect()
    }

    #[test]
    fn an_event_is_as_old_when_it_is_sent_as_it_is() {
        let minute = Duration::from_secs(60);
        let outbox =
            outbox(&[("a", UrgentKind::RateLimited, minute), ("b", UrgentKind::Failed, Duration::ZERO)]);
        let sent = outbox.unsent(&mut 0);
        assert_eq!(ids(&sent), ["a", "b"]);
        assert!((60_000..65_000).contains(&sent[0].age_ms), "{}", sent[0].age_ms);
        assert!(sent[1].age_ms < 5_000);
        assert_eq!(sent[0].hint_ms, Some(20_000), "the wait is told as it came");
    }

    #[test]
    fn what_was_not_acknowledged_is_sent_again_to_the_next_control_plane_and_nothing_twice_in_a_session() {
        let now = Duration::ZERO;
        let kind = UrgentKind::Failed;
        let outbox = outbox(&[("a", kind, now), ("b", kind, now), ("c", kind, now)]);
        let mut sent = 0;
        assert_eq!(ids(&outbox.unsent(&mut sent)), ["a", "b", "c"]);
        outbox.acknowledged("b");
        outbox.keep(event("d", kind));
        assert_eq!(ids(&outbox.unsent(&mut sent)), ["d"]);
        assert!(outbox.unsent(&mut sent).is_empty());
        assert_eq!(ids(&outbox.unsent(&mut 0)), ["a", "c", "d"]);
    }

    #[test]
    fn a_wish_for_a_permit_goes_stale() {
        let (fresh, stale) = (Duration::ZERO, STALE_WISH);
        let wish = UrgentKind::PermitWanted;
        let outbox = outbox(&[("a", wish, stale), ("b", UrgentKind::Recovered, stale), ("c", wish, fresh)]);
        assert_eq!(ids(&outbox.unsent(&mut 0)), ["b", "c"]);
    }

    #[test]
    fn the_newest_are_kept_when_there_are_too_many() {
        let outbox = outbox(&[]);
        for number in 0..=MAX_UNACKED {
            outbox.keep(event(&number.to_string(), UrgentKind::Failed));
        }
        let sent = outbox.unsent(&mut 0);
        assert_eq!((sent.len(), sent[0].event_id.as_str()), (MAX_UNACKED, "1"));
    }
}
