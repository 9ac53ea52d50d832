//! What comes down is put in force: a configuration whole or not at all, hints one by one.

use super::{super::connect::SessionError, Subscriber, millis};
use cliproxy_domain::{ConfigId, Hint, HintVersion};
use cliproxy_proto::{
    convert::{config::EntrySet, hints::from_wire},
    v1::{Ack, Change, Delta, Line, Nack, SnapshotChunk, sync_up},
};
use std::time::Duration;

/// Why a configuration is left alone.
const DIED: &str = "this node died three times within a minute of putting it in force";

impl Subscriber {
    pub(super) async fn chunk(
        &mut self,
        chunk: SnapshotChunk,
    ) -> Result<Option<sync_up::Message>, SessionError> {
        let Some(whole) = self.parts.add(chunk)? else { return Ok(None) };
        if whole.line == i32::from(Line::Hint) {
            self.metrics.whole_hints.inc();
            return Ok(Some(self.hints(&whole.changes, whole.version, whole.nonce).await));
        }
        self.metrics.whole_configs.inc();
        let mut entries = EntrySet::default();
        entries.apply(&whole.changes).map_err(protocol)?;
        self.config(entries, whole.hash, whole.version, whole.nonce).await
    }

    pub(super) async fn delta(&mut self, delta: Delta) -> Result<Option<sync_up::Message>, SessionError> {
        if delta.line() == Line::Hint {
            let ack = self.hints(&delta.changes, delta.to, delta.nonce).await;
            // Not numbered yet: the same value comes again.
            return Ok((delta.to > 0).then_some(ack));
        }
        if self.is_past(delta.to) {
            return Ok(Some(taken(delta.nonce, delta.to, Duration::ZERO, Vec::new())));
        }
        if delta.from != self.have.config.0 {
            return Err(SessionError::Protocol(format!(
                "a change from configuration {} came while {} is in force",
                delta.from, self.have.config
            )));
        }
        let mut entries = self.have.entries.clone();
        entries.apply(&delta.changes).map_err(protocol)?;
        self.config(entries, delta.hash_after, delta.to, delta.nonce).await
    }

    /// Tells whether a configuration is none that would be newer: while the node goes from one replica to another it
    /// hears both, and one may be behind. Within one history numbers only rise.
    fn is_past(&self, version: u64) -> bool {
        self.have.config.0 >= version && self.have.config != ConfigId(0)
    }

    /// Puts a configuration in force, or refuses it and keeps the old one.
    async fn config(
        &mut self,
        entries: EntrySet,
        hash: u64,
        version: u64,
        nonce: String,
    ) -> Result<Option<sync_up::Message>, SessionError> {
        if entries.hash() != hash {
            // Not the configuration's fault: what this node builds on is off, so it asks for the whole set.
            self.have.config = ConfigId(0);
            return Err(SessionError::Protocol("the hash of the configuration differs".into()));
        }
        if self.is_past(version) {
            return Ok(Some(taken(nonce, version, Duration::ZERO, Vec::new())));
        }
        let started = self.clock.now();
        let adopted = match self.begins(ConfigId(version)).await {
            Err(again_in) => Err((DIED.to_owned(), again_in)),
            Ok(()) => entries
                .to_snapshot()
                .map_err(|error| error.to_string())
                .and_then(|snapshot| {
                    self.live.adopt(ConfigId(version), snapshot).map_err(|error| error.to_string())
                })
                .map_err(|reason| (reason, Duration::ZERO)),
        };
        if let Err((reason, again_in)) = adopted {
            if again_in.is_zero() {
                self.guard.takes_back();
            }
            tracing::error!(config = version, reason, "a configuration was refused; the old one goes on");
            self.metrics.configs_refused.inc();
            let still_on = self.have.config.0;
            let again_in_ms = millis(again_in);
            let nack = Nack { nonce, rejected_config: version, still_on, reason, again_in_ms };
            return Ok(Some(sync_up::Message::Nack(nack)));
        }
        let took = self.clock.now().saturating_duration_since(started);
        let unsupported = entries.unsupported();
        self.have.entries = entries;
        self.have.config = ConfigId(version);
        self.show_config();
        self.dirty = true;
        tracing::info!(config = version, "a configuration is in force");
        Ok(Some(taken(nonce, version, took, unsupported)))
    }

    /// Merges hints. What cannot be understood is skipped: the line is never refused.
    ///
    /// A word on a client's key is saved before it is acknowledged: a node that is killed then, and starts while no control
    /// plane is there, refuses what was revoked all the same.
    async fn hints(&mut self, changes: &[Change], version: u64, nonce: String) -> sync_up::Message {
        let now = self.clock.wall();
        let mut unsupported = Vec::new();
        let mut known = Vec::with_capacity(changes.len());
        for change in changes {
            match from_wire(change, now) {
                // Before the others: a probe that is wanted at once must find the connections forgotten.
                Ok(Some(Hint::Health(health))) => self.dirty |= self.health.heard(health, now),
                Ok(Some(hint)) => known.push(hint),
                Ok(None) => unsupported.push(change.kind),
                Err(error) => {
                    self.metrics.hints_skipped.inc();
                    tracing::warn!(key = change.key, %error, "a hint was skipped");
                }
            }
        }
        let is_stored = known.iter().any(Hint::is_stored);
        let is_of_keys = known.iter().any(|hint| matches!(hint, Hint::ClientKey(_)));
        self.dirty |= self.live.hint_all(known, now) && is_stored;
        self.have.hints = self.have.hints.max(HintVersion(version));
        if is_of_keys && self.dirty {
            self.save_at_once().await;
        }
        sync_up::Message::Ack(Ack { nonce, line: Line::Hint.into(), version, apply_us: 0, unsupported })
    }
}

/// Acknowledges a configuration.
fn taken(nonce: String, version: u64, took: Duration, unsupported: Vec<i32>) -> sync_up::Message {
    sync_up::Message::Ack(Ack {
        nonce,
        line: Line::Config.into(),
        version,
        apply_us: u32::try_from(took.as_micros()).unwrap_or(u32::MAX),
        unsupported,
    })
}

fn protocol(error: impl std::fmt::Display) -> SessionError {
    SessionError::Protocol(error.to_string())
}
