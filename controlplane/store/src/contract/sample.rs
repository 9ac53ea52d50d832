//! Small values for the cases.

use crate::{ConfigEntry, NewConfig, NodeBatches, NodeRecord};
use cliproxy_domain::{
    AttemptCounts, Batch, Cooldown, CooldownCause, CooldownKey, Incarnation, LedgerKey, LedgerRow, NodeId,
    Seq, TokenUsage, UrgentEvent, UrgentKind, WallTime,
};
use std::{ops::Range, time::Duration};

/// The beginning of a minute: 2026-02-19T22:50:00Z.
pub(super) const NOW: WallTime = WallTime(1_771_541_400_000);

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// The hour around [`NOW`].
pub(super) fn around_now() -> Range<WallTime> {
    NOW.minus(30 * MINUTE)..NOW.plus(30 * MINUTE)
}

pub(super) fn config(hash: u64) -> NewConfig {
    NewConfig {
        hash,
        entries: vec![entry(1, "claude", hash)],
        author: "file".into(),
        reason: "".into(),
        at: NOW,
    }
}

pub(super) fn entry(kind: i32, key: &str, hash: u64) -> ConfigEntry {
    ConfigEntry { kind, key: key.into(), hash }
}

pub(super) fn key(provider: &str, model: &str) -> LedgerKey {
    LedgerKey { provider: provider.into(), credential: "main".into(), model: model.into() }
}

/// A row of one answered call that took `input` tokens.
pub(super) fn answered(provider: &str, input: u64) -> LedgerRow {
    LedgerRow {
        key: key(provider, "m"),
        attempts: AttemptCounts { ok: 1, ..AttemptCounts::default() },
        tokens: TokenUsage { input, ..TokenUsage::default() },
    }
}

pub(super) fn batch(incarnation: u64, seq: u64, window_start: WallTime, rows: Vec<LedgerRow>) -> Batch {
    Batch {
        incarnation: Incarnation(incarnation),
        seq: Seq(seq),
        window_start,
        window: Duration::from_secs(1),
        rows,
    }
}

/// What incarnation 1 of `node` reports: batches of these numbers, each of one call with as many tokens.
pub(super) fn report(node: &str, seqs: &[u64]) -> NodeBatches {
    report_as(node, 1, 1, seqs)
}

pub(super) fn report_as(node: &str, incarnation: u64, oldest_unacked: u64, seqs: &[u64]) -> NodeBatches {
    let numbered = |&seq: &u64| batch(incarnation, seq, NOW, vec![answered("claude", seq)]);
    NodeBatches {
        node: node.into(),
        incarnation: Incarnation(incarnation),
        oldest_unacked: Seq(oldest_unacked),
        batches: seqs.iter().map(numbered).collect(),
    }
}

/// A report of node `a`, incarnation 1, in one batch.
pub(super) fn one_batch(seq: u64, window_start: WallTime, rows: Vec<LedgerRow>) -> NodeBatches {
    NodeBatches { batches: vec![batch(1, seq, window_start, rows)], ..report("a", &[]) }
}

pub(super) fn cooldown(credential: &str, epoch: u64, seconds: u64) -> Cooldown {
    Cooldown {
        key: CooldownKey { provider: "claude".into(), credential: credential.into() },
        epoch,
        started_at: NOW,
        until: NOW.plus(Duration::from_secs(seconds)),
        cause: CooldownCause::RateLimit,
        source: "a".into(),
    }
}

pub(super) fn event(id: &str) -> UrgentEvent {
    UrgentEvent {
        id: id.into(),
        node: "a".into(),
        kind: UrgentKind::RateLimited,
        key: CooldownKey { provider: "claude".into(), credential: "main".into() },
        http_status: 429,
        rest: Duration::from_secs(30),
        seen_epoch: 0,
    }
}

pub(super) fn node(name: &str, incarnation: u64, seen_after: Duration) -> NodeRecord {
    NodeRecord {
        node: NodeId::from(name),
        incarnation: Incarnation(incarnation),
        build: format!("build {incarnation}"),
        listen: "127.0.0.1:8317".into(),
        last_seen: NOW.plus(seen_after),
    }
}
