//! What the stories are about: a configuration, what nodes report, and what follows from it.

use super::harness::START;
use crate::state::sample;
use cliproxy_domain::{
    Alias, AliasTarget, AttemptCounts, Batch, Cooldown, CooldownCause, CooldownKey, Credential, Evidence,
    Incarnation, LedgerKey, LedgerRow, Permit, ProviderKind, Secret, Seq, Snapshot, Target, TokenUsage,
    UrgentEvent, UrgentKind,
};
use std::time::Duration;

/// Claude with two credentials, OpenAI with one, and an alias over both.
pub(super) fn snapshot() -> Snapshot {
    let provider = |name: &str, kind, credentials: &[&str], priority| {
        sample::provider(name, |provider| {
            let credential = |name: &&str| Credential::new(*name, Secret::new("sk"));
            provider.credentials = credentials.iter().map(credential).collect();
            (provider.kind, provider.priority, provider.weight) = (kind, priority, 2);
        })
    };
    let target = |provider: &str, model: &str, priority| AliasTarget {
        target: Target { provider: provider.into(), model: model.into() },
        priority,
        weight: None,
    };
    let providers = [
        provider("claude", ProviderKind::Anthropic, &["main", "spare"], 1),
        provider("openai", ProviderKind::OpenAi, &["main"], 1),
    ];
    let smart = Alias {
        name: "smart".into(),
        targets: vec![target("claude", "claude-sonnet-4-5", None), target("openai", "gpt-5", Some(2))],
        strategy: None,
    };
    Snapshot {
        providers: providers.into_iter().map(|p| (p.name.clone(), p)).collect(),
        models: [(smart.name.clone(), smart)].into(),
        ..Snapshot::default()
    }
}

/// [`snapshot`] with another number of attempts: one entry differs.
pub(super) fn snapshot_with_attempts(max_attempts: u32) -> Snapshot {
    let mut snapshot = snapshot();
    snapshot.policy.retries.max_attempts = max_attempts;
    snapshot
}

/// A batch of one window that ended at [`START`]: one call to Claude, answered in 450 ms.
pub(super) fn batch(seq: u64) -> Batch {
    Batch {
        incarnation: Incarnation(1),
        seq: Seq(seq),
        window_start: START.minus(Duration::from_secs(1)),
        window: Duration::from_secs(1),
        rows: vec![row("claude", AttemptCounts { ok: 1, latency_us: 450_000, ..Default::default() })],
    }
}

pub(super) fn row(provider: &str, attempts: AttemptCounts) -> LedgerRow {
    LedgerRow {
        key: LedgerKey { provider: provider.into(), credential: "main".into(), model: "m".into() }.into(),
        attempts,
        tokens: TokenUsage::default(),
        cost_nanos: 0,
    }
}

/// A 429 on a credential of Claude's, with a wait.
pub(super) fn event(id: &str, credential: &str, wait: Duration) -> UrgentEvent {
    UrgentEvent {
        id: id.into(),
        node: "node-1".into(),
        kind: UrgentKind::RateLimited,
        subject: LedgerKey { provider: "claude".into(), credential: credential.into(), model: "m".into() },
        about_model: false,
        rest: None,
        http_status: 429,
        error_type: "rate_limit".into(),
        hint: Some(wait),
        seen_epoch: 0,
        age: Duration::ZERO,
    }
}

/// A 429 of which the provider said that it is about one model.
pub(super) fn event_of_model(id: &str, model: &str, wait: Duration) -> UrgentEvent {
    let event = event(id, "main", wait);
    let subject = LedgerKey { model: model.into(), ..event.subject.clone() };
    UrgentEvent { subject, about_model: true, ..event }
}

/// The rest that follows from [`event`] when it comes at [`START`].
pub(super) fn rest_of(event: &UrgentEvent) -> Cooldown {
    let wait = event.hint.unwrap();
    Cooldown {
        key: CooldownKey::credential(event.subject.provider.clone(), event.subject.credential.clone()),
        epoch: event.seen_epoch,
        round: 0,
        started_at: START,
        until: START.plus(wait),
        cleared: false,
        cause: CooldownCause::RateLimit,
        source: event.node.clone(),
        permit: Permit { number: 0, node: Some(event.node.clone()) },
        streak: 1,
        evidence: Evidence {
            http_status: 429,
            error_type: "rate_limit".into(),
            hint: Some(wait),
            ..Evidence::default()
        },
    }
}

/// A call to a provider that failed, with nothing said of how long.
pub(super) fn failure(id: &str, provider: &str) -> UrgentEvent {
    let event = event(id, "main", Duration::ZERO);
    UrgentEvent {
        kind: UrgentKind::Failed,
        subject: LedgerKey { provider: provider.into(), ..event.subject.clone() },
        http_status: 500,
        error_type: "upstream_error".into(),
        hint: None,
        ..event
    }
}

/// Names one of Claude's credentials.
pub(super) fn credential_key(credential: &str) -> CooldownKey {
    CooldownKey::credential("claude".into(), credential.into())
}

/// Names a whole provider.
pub(super) fn provider_key(provider: &str) -> CooldownKey {
    CooldownKey::provider(provider.into())
}
