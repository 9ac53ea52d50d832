use super::*;
use cliproxy_domain::{Cooldown, CooldownKey, Permit, Scope};

mod at_once;
mod blame;
mod operator;
mod probe;
mod properties;
mod window;

pub(super) const NOW: WallTime = WallTime(1_771_541_400_000);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn rules() -> Rules {
    Rules {
        policy: CooldownPolicy::default(),
        durations: CooldownDurations::default(),
        credentials: 1,
        quota_resets_at: None,
    }
}

/// Of a provider with three credentials.
fn rules_of_three() -> Rules {
    Rules { credentials: 3, ..rules() }
}

fn report(blame: Blame, hint: Option<Duration>) -> Report {
    Report {
        blame,
        subject: LedgerKey { provider: "claude".into(), credential: "main".into(), model: "m".into() },
        about_model: false,
        hint,
        http_status: 429,
        error_type: "rate_limit".into(),
        seen_epoch: 0,
        node: "a".into(),
        at: NOW,
    }
}

fn report_at(blame: Blame, at: WallTime) -> Report {
    Report { at, ..report(blame, None) }
}

fn of_credential(report: Report, credential: &str) -> Report {
    Report { subject: LedgerKey { credential: credential.into(), ..report.subject }, ..report }
}

fn credential_scope() -> Scope {
    Scope::Credential("main".into())
}

fn model_scope() -> Scope {
    Scope::Model { credential: "main".into(), model: "m".into() }
}

/// A rest that ended at [`NOW`], the permit being node `a`'s.
fn half_open(scope: Scope, cause: CooldownCause) -> Cooldown {
    Cooldown {
        key: CooldownKey { provider: "claude".into(), scope },
        epoch: 0,
        round: 0,
        started_at: NOW.minus(MINUTE),
        until: NOW,
        cleared: false,
        cause,
        source: "a".into(),
        permit: Permit { number: 0, node: Some("a".into()) },
        streak: 1,
        evidence: cliproxy_domain::Evidence::default(),
    }
}
