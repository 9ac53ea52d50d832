//! Small values for the cases.

use crate::{
    Change, ConfigEntry, HintChange, NewConfig, NodeBatches, NodeRecord, Outcome, Store, StoreError, UsageBy,
    UsagePeriod, UsageQuery,
};
use cliproxy_domain::{
    AttemptCounts, AuditEntry, Batch, Cooldown, CooldownCause, CooldownKey, Evidence, Fence, Health,
    HealthState, Hint, HintVersion, Incarnation, LeaseName, LedgerKey, LedgerRow, NodeId, Permit, Seq,
    TokenUsage, UrgentEvent, UrgentKind, WallTime,
};
use std::{ops::Range, sync::Arc, time::Duration};

/// The beginning of a minute: 2026-02-19T22:50:00Z.
pub(super) const NOW: WallTime = WallTime(1_771_541_400_000);

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// The hour around [`NOW`].
pub(super) fn around_now() -> Range<WallTime> {
    NOW.minus(30 * MINUTE)..NOW.plus(30 * MINUTE)
}

/// All times that a store may be asked for.
pub(super) fn all_time() -> Range<WallTime> {
    WallTime(i64::MIN)..WallTime(i64::MAX)
}

pub(super) fn config(hash: u64) -> NewConfig {
    NewConfig {
        hash,
        entries: vec![entry(1, "claude", hash)],
        author: "file".into(),
        reason: "".into(),
        at: NOW,
        text: None,
        follows: None,
        above: cliproxy_domain::ConfigId(0),
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
        key: key(provider, "m").into(),
        attempts: AttemptCounts { ok: 1, ..AttemptCounts::default() },
        tokens: TokenUsage { input, ..TokenUsage::default() },
        cost_nanos: 0,
    }
}

/// A row in which no two counters are alike.
pub(super) fn distinct(provider: &str, model: &str, from: u64) -> LedgerRow {
    LedgerRow {
        key: key(provider, model).into(),
        attempts: AttemptCounts {
            ok: from,
            err_4xx: from + 1,
            rate_limited: from + 2,
            err_5xx: from + 3,
            timeout: from + 4,
            connect: from + 5,
            cancelled: from + 6,
            retried: from + 7,
            latency_us: from + 8,
            streams: from + 9,
            stream_us: from + 10,
            first_event_us: from + 11,
        },
        tokens: TokenUsage {
            input: from + 12,
            output: from + 13,
            cache_read: from + 14,
            cache_write: from + 15,
            reasoning: from + 16,
            estimated: from + 17,
        },
        cost_nanos: from + 18,
    }
}

/// Asks for all usage, with nothing told apart.
pub(super) fn by(period: UsagePeriod) -> UsageQuery {
    UsageQuery {
        within: all_time(),
        period,
        by: UsageBy::default(),
        provider: None,
        model: None,
        client: None,
        limit: 1_000,
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

/// A rest of one credential of `claude`, from [`NOW`] on.
pub(super) fn cooldown(credential: &str, epoch: u64, seconds: u64) -> Cooldown {
    Cooldown {
        key: CooldownKey::credential("claude".into(), credential.into()),
        epoch,
        round: 0,
        started_at: NOW,
        until: NOW.plus(Duration::from_secs(seconds)),
        cleared: false,
        cause: CooldownCause::RateLimit,
        source: "a".into(),
        permit: Permit { number: 0, node: Some("a".into()) },
        streak: 1,
        evidence: Evidence::default(),
    }
}

/// As [`cooldown`].
pub(super) fn rest(credential: &str, epoch: u64, seconds: u64) -> Hint {
    Hint::Cooldown(cooldown(credential, epoch, seconds))
}

pub(super) fn health(provider: &str, revision: u64) -> Hint {
    Hint::Health(Health {
        revision,
        provider: provider.into(),
        state: HealthState::Unhealthy,
        since: NOW,
        recovered: false,
        recoveries: 3,
        why: "3 probes in a row failed (503)".into(),
    })
}

pub(super) fn numbered(version: u64, hint: Hint) -> HintChange {
    HintChange { version: HintVersion(version), hint }
}

/// Changes hints and nothing else.
pub(super) async fn merge(store: &impl Store, hints: Vec<Hint>) -> Result<Vec<HintChange>, StoreError> {
    store.change(Change { hints, ..Change::default() }).await
}

/// What an operator did to `claude` at `at`.
pub(super) fn audit(id: &str, at: WallTime) -> AuditEntry {
    AuditEntry {
        id: id.into(),
        at,
        actor: "ada".into(),
        from: "127.0.0.1:50000".into(),
        action: "cooldown_started".into(),
        provider: Some("claude".into()),
        subject: "claude/main".into(),
        reason: "maintenance".into(),
        before: String::new(),
        after: r#"{"ends_at":"2026-02-19T22:55:00Z"}"#.into(),
    }
}

pub(super) fn loop_lease() -> LeaseName {
    LeaseName::control_loop()
}

/// What a holder of [`loop_lease`] writes under.
pub(super) fn fence(holder: &str, epoch: u64) -> Fence {
    Fence { lease: loop_lease(), holder: holder.into(), epoch }
}

/// Asks for [`loop_lease`], and gives who has it and since which change.
pub(super) async fn lead(
    store: &Arc<impl Store>,
    holder: &str,
    ttl: Duration,
) -> Result<(String, u64), StoreError> {
    let lease = store.lead(loop_lease(), holder.into(), ttl).await?;
    Ok((lease.holder, lease.epoch))
}

/// Asks until `holder` has [`loop_lease`], which runs out by the store's clock, and gives the epoch.
pub(super) async fn let_run_out(store: &Arc<impl Store>, holder: &str) -> Result<u64, StoreError> {
    for _ in 0..1_000 {
        let (taken_by, epoch) = lead(store, holder, Duration::from_secs(600)).await?;
        if taken_by == holder {
            return Ok(epoch);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{holder} did not get the lease in five seconds");
}

pub(super) fn outcome(request_id: &str, answer: &str, at: WallTime) -> Outcome {
    Outcome { request_id: request_id.into(), answer: answer.into(), at }
}

pub(super) fn event(id: &str) -> UrgentEvent {
    UrgentEvent {
        id: id.into(),
        node: "a".into(),
        kind: UrgentKind::RateLimited,
        subject: key("claude", "m"),
        about_model: false,
        rest: None,
        http_status: 429,
        error_type: "rate_limit".into(),
        hint: Some(Duration::from_secs(30)),
        seen_epoch: 0,
        age: Duration::ZERO,
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
