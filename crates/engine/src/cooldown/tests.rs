use super::*;
use cliproxy_domain::{Cooldown, Scope};

const NOW: WallTime = WallTime(1_000_000);

fn rules() -> Rules {
    Rules {
        policy: CooldownPolicy::default(),
        durations: CooldownDurations::default(),
        credentials: 1,
        quota_resets_at: None,
    }
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

#[test]
fn a_wait_rests_only_the_credential_that_got_it() {
    let rest = at_once(&rules(), &report(Blame::RateLimit, Some(Duration::from_secs(7))), None).unwrap();
    assert_eq!(rest.key.scope, Scope::Credential("main".into()));
    assert_eq!(rest.until, NOW.plus(Duration::from_secs(7)));
}

#[test]
fn a_wait_of_a_week_is_clamped_and_the_evidence_says_so() {
    let week = Duration::from_secs(7 * 24 * 3_600);
    let rest = at_once(&rules(), &report(Blame::RateLimit, Some(week)), None).unwrap();
    assert_eq!(rest.until, NOW.plus(Duration::from_secs(3_600)));
    assert_eq!((rest.evidence.hint, rest.evidence.clamped), (Some(week), true));
}

#[test]
fn the_fifth_error_in_a_minute_rests_the_provider() {
    let mut window = Window::default();
    let errors: Vec<_> = (0..5).map(|_| window.note(&rules(), &report(Blame::Error, None))).collect();
    assert!(errors[..4].iter().all(Option::is_none));
    let rest = errors[4].clone().unwrap();
    assert_eq!((rest.key.scope, rest.evidence.errors), (Scope::Provider, 5));
}
