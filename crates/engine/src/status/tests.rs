use super::*;
use crate::{
    cooldown::{force, recover},
    outlook::Outlook,
};
use cliproxy_domain::{
    Alias, AliasTarget, BudgetId, ConfigId, CooldownDurations, CooldownKey, Credential, Decision, Evidence,
    Health, HealthCheck, HealthState, Hint, LimitSubject, Permit, Provider, ProviderKind, ProviderName,
    Quota, QuotaReset, QuotaSignal, QuotaUnit, Secret, Snapshot, Target, Timeouts,
    status::{RestStatus, Source},
};
use std::{collections::BTreeMap, time::Duration};

const NOW: WallTime = WallTime(1_000_000);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Claude with two credentials, OpenAI with one, and an alias over both.
fn snapshot() -> Snapshot {
    let provider = |name: &str, credentials: &[&str]| Provider {
        name: name.into(),
        kind: ProviderKind::OpenAi,
        base_url: "http://localhost".into(),
        credentials: credentials.iter().map(|name| Credential::new(*name, Secret::new("k"))).collect(),
        models: Vec::new(),
        weight: 1,
        priority: 1,
        timeouts: Timeouts::default(),
        profile: None,
        traits: Vec::new(),
        cooldown: CooldownDurations::default(),
        health_check: HealthCheck::default(),
        quota: None,
        prices: Vec::new(),
    };
    let target = |provider: &str, model: &str| AliasTarget {
        target: Target { provider: provider.into(), model: model.into() },
        priority: None,
        weight: None,
    };
    let smart = Alias {
        name: "smart".into(),
        targets: vec![target("claude", "c"), target("openai", "o")],
        strategy: None,
    };
    let providers = [provider("claude", &["main", "spare"]), provider("openai", &["main"])];
    Snapshot {
        providers: providers.into_iter().map(|known| (known.name.clone(), known)).collect(),
        models: [(smart.name.clone(), smart)].into(),
        ..Snapshot::default()
    }
}

fn rest(key: CooldownKey, cause: CooldownCause, until: WallTime) -> Cooldown {
    Cooldown {
        key,
        epoch: 0,
        round: 0,
        started_at: NOW.minus(seconds(10)),
        until,
        cleared: false,
        cause,
        source: "a".into(),
        permit: Permit { number: 0, node: Some("a".into()) },
        streak: 1,
        evidence: Evidence { http_status: 429, error_type: "rate_limit".into(), ..Evidence::default() },
    }
}

fn credential(name: &str) -> CooldownKey {
    CooldownKey::credential("claude".into(), name.into())
}

fn outlook(rests: impl IntoIterator<Item = Cooldown>) -> Outlook {
    let hints: Vec<Hint> = rests.into_iter().map(Hint::Cooldown).collect();
    Outlook::of(&snapshot(), &hints)
}

#[test]
fn a_provider_rests_when_all_its_credentials_do_and_is_back_with_the_first() {
    let one = rest(credential("main"), CooldownCause::RateLimit, NOW.plus(seconds(60)));
    let half = outlook([one.clone()]);
    let status = cooldowns(&half, [], Source::Cluster, NOW);
    assert!(status.providers_in_cooldown.is_empty(), "one of its two credentials does not rest");
    assert_eq!(status.resting.keys().collect::<Vec<_>>(), ["claude/main"]);

    let other =
        rest(credential("spare"), CooldownCause::QuotaExhausted, NOW.plus(Duration::from_millis(29_001)));
    let all = outlook([one, other]);
    let status = cooldowns(&all, [], Source::Cluster, NOW);
    assert_eq!(status.providers_in_cooldown, ["claude".into()]);
    let period = &status.cooldown_periods["claude"];
    assert_eq!((period.remaining_seconds, period.reason.as_str()), (30, "quota_exhausted"));
}

#[test]
fn an_operators_rest_is_told_in_his_own_words() {
    let forced = |note| force(CooldownKey::provider("claude".into()), 0, NOW, seconds(600), "ops", note);
    let told = |rest| {
        cooldowns(&outlook([rest]), [], Source::Cluster, NOW).cooldown_periods["claude"].reason.clone()
    };
    assert_eq!(told(forced("new keys on Monday")), "new keys on Monday");
    assert_eq!(told(forced("")), "manual");
}

#[test]
fn a_rest_past_its_end_keeps_nobody_away_and_is_told_as_half_open() {
    let over = [credential("main"), credential("spare")].map(|key| rest(key, CooldownCause::RateLimit, NOW));
    let status = cooldowns(&outlook(over), [], Source::Cluster, NOW);
    assert!(status.providers_in_cooldown.is_empty());
    let main = &status.resting["claude/main"];
    assert_eq!(
        (main.stage.as_str(), main.remaining_seconds, main.prober.clone()),
        ("half_open", 0, Some("a".into()))
    );
}

#[test]
fn what_a_recovery_of_the_whole_provider_undid_is_history() {
    let resting = rest(credential("main"), CooldownCause::RateLimit, NOW.plus(seconds(60)));
    let recovered = recover(CooldownKey::provider("claude".into()), 0, NOW, "ops", "");
    let later = NOW.plus(seconds(3_600));
    let status = cooldowns(&outlook([resting, recovered]), [], Source::Cluster, later);
    assert!(status.resting.is_empty());
    let [over] = status.history.as_slice() else { panic!("{:?}", status.history) };
    assert_eq!((over.subject.as_str(), over.stage.as_str(), over.ends_at), ("claude/main", "over", NOW));
}

#[test]
fn a_rest_that_a_later_word_cut_short_is_told_once_with_its_true_end() {
    let ending = |started_ms, until| {
        let started_at = WallTime(NOW.0 - 9_000 + started_ms);
        let rest = Cooldown { started_at, until, ..rest(credential("main"), CooldownCause::RateLimit, NOW) };
        RestStatus::of(&rest, "over", NOW)
    };
    // As memory has it, and as the audit log wrote it down at two later words.
    let told = [ending(400, NOW), ending(0, NOW.minus(seconds(4))), ending(0, NOW.minus(seconds(2)))];
    let status = cooldowns(&outlook([]), told, Source::Cluster, NOW);
    let ends: Vec<_> = status.history.iter().map(|rest| rest.ends_at).collect();
    assert_eq!(ends, [NOW.minus(seconds(4))]);
}

#[test]
fn the_history_is_the_newest_first_and_at_most_fifty() {
    let ended = |ago| {
        let rest = Cooldown {
            started_at: NOW.minus(seconds(ago + 5)),
            until: NOW.minus(seconds(ago)),
            ..rest(credential("main"), CooldownCause::RateLimit, NOW)
        };
        RestStatus::of(&rest, "over", NOW)
    };
    let twice = (0..70).chain(0..70).map(ended);
    let status = cooldowns(&outlook([]), twice, Source::Cluster, NOW);
    assert_eq!((status.history.len(), status.history[0].ends_at), (50, NOW));
    assert!(status.history.is_sorted_by(|a, b| a.ends_at > b.ends_at));
}

#[test]
fn a_provider_is_left_out_for_its_health_its_quota_or_its_rests() {
    let mut snapshot = snapshot();
    snapshot.policy.health_check.enabled = true;
    let quota = Quota::new(10, QuotaUnit::Tokens, QuotaReset::Daily);
    if let Some(openai) = snapshot.providers.get_mut("openai") {
        openai.quota = Some(quota);
    }
    let down = Health {
        revision: 1,
        provider: "claude".into(),
        state: HealthState::Unhealthy,
        since: NOW,
        recovered: false,
        recoveries: 0,
        why: String::new(),
    };
    let spent = QuotaSignal {
        revision: 1,
        budget: BudgetId::of_provider("openai", QuotaUnit::Tokens),
        used: 10,
        leased: 0,
        spent_at: Some(NOW),
        resets_at: NOW.plus(seconds(5)),
    };
    let known = Outlook::of(&snapshot, &[Hint::Health(down), Hint::Quota(spent)]);
    let reason = |name| out(known.provider(name).unwrap(), "", NOW).map(|out| (out.reason, out.until));
    assert_eq!(reason("claude"), Some((Exclusion::Unhealthy, None)));
    assert_eq!(reason("openai"), Some((Exclusion::QuotaExhausted, Some(NOW.plus(seconds(5))))));
}

/// OpenAI has used up its own quota three seconds ago, and Claude that of each of its credentials.
fn used_up(limit: u64) -> Outlook {
    let mut snapshot = snapshot();
    let quota = Some(Quota::new(limit, QuotaUnit::Tokens, QuotaReset::Daily));
    snapshot.providers.get_mut("openai").unwrap().quota.clone_from(&quota);
    let claude = snapshot.providers.get_mut("claude").unwrap();
    claude.credentials.iter_mut().for_each(|credential| credential.quota.clone_from(&quota));
    let credentials = claude.credentials.iter().map(|credential| credential.name.clone());
    let subjects = credentials.map(|name| LimitSubject::Credential("claude".into(), name));
    let signal = |subject, left| {
        Hint::Quota(QuotaSignal {
            revision: 1,
            budget: BudgetId { subject, unit: QuotaUnit::Tokens },
            used: 10,
            leased: 0,
            spent_at: Some(NOW.minus(seconds(3))),
            resets_at: NOW.plus(seconds(left)),
        })
    };
    let mut hints: Vec<Hint> = subjects.zip(60..).map(|(subject, left)| signal(subject, left)).collect();
    hints.push(signal(LimitSubject::Provider("openai".into()), 5));
    Outlook::of(&snapshot, &hints)
}

#[test]
fn what_is_used_up_shows_as_a_rest_until_it_begins_anew_and_is_back_at_once_then() {
    let known = used_up(10);
    let status = cooldowns(&known, [], Source::Cluster, NOW);
    assert_eq!(status.providers_in_cooldown, ["claude".into(), "openai".into()]);
    let openai = &status.cooldown_periods[&ProviderName::from("openai")];
    assert_eq!((openai.started_at, openai.ends_at), (NOW.minus(seconds(3)), NOW.plus(seconds(5))));
    assert_eq!((openai.remaining_seconds, openai.reason.as_str()), (5, "quota_exhausted"));
    let claude = known.provider("claude").unwrap();
    let first_back = Some((Exclusion::QuotaExhausted, Some(NOW.plus(seconds(60)))));
    assert_eq!(out(claude, "", NOW).map(|out| (out.reason, out.until)), first_back);
    assert!(status.resting.contains_key("claude/main"), "{:?}", status.resting.keys());
    let begun = NOW.plus(seconds(60));
    assert_eq!(out(claude, "", begun), None);
    assert!(cooldowns(&known, [], Source::Cluster, begun).providers_in_cooldown.is_empty());
}

#[test]
fn a_limit_that_is_raised_ends_such_a_rest() {
    assert!(cooldowns(&used_up(11), [], Source::Cluster, NOW).providers_in_cooldown.is_empty());
}

#[test]
fn no_operators_word_undoes_that_a_quota_is_used_up() {
    let mut known = used_up(10);
    for provider in &mut known.providers {
        let key = CooldownKey::provider(provider.name.clone());
        provider.rest = Some(recover(key, 1, NOW, "ops", ""));
    }
    assert_eq!(cooldowns(&known, [], Source::Cluster, NOW).providers_in_cooldown.len(), 2);
}

#[test]
fn a_target_is_out_for_the_model_that_rests_and_no_other() {
    let key = CooldownKey::model("openai".into(), "main".into(), "o".into());
    let known = outlook([rest(key, CooldownCause::Error, NOW.plus(seconds(5)))]);
    let openai = known.provider("openai").unwrap();
    assert_eq!(out(openai, "o", NOW).map(|out| out.reason), Some(Exclusion::Cooldown));
    assert_eq!((out(openai, "other", NOW), out(openai, "", NOW)), (None, None));
}

#[test]
fn all_are_rejected_only_when_every_one_is() {
    let rejected = |name| rest(credential(name), CooldownCause::CredentialRejected, NOW.plus(seconds(5)));
    let one = outlook([rejected("main")]);
    assert!(!all_rejected(one.provider("claude").unwrap(), NOW));
    let both = outlook([rejected("main"), rejected("spare")]);
    assert!(all_rejected(both.provider("claude").unwrap(), NOW));
    assert!(
        all_rejected(both.provider("claude").unwrap(), NOW.plus(seconds(6))),
        "it is not known to be over"
    );
}

#[test]
fn the_shares_say_who_is_out_and_until_when() {
    let snapshot = snapshot();
    let until = NOW.plus(seconds(60));
    let rests = ["main", "spare"].map(|name| rest(credential(name), CooldownCause::RateLimit, until));
    let outlook = outlook(rests);
    let view = ShareView {
        config: ConfigId(3),
        snapshot: &snapshot,
        outlook: &outlook,
        calls: BTreeMap::from([("claude".into(), 2), ("openai".into(), 1)]),
        source: Source::Node,
        now: NOW,
    };
    let decide = |alias: &Alias| Decision { model: alias.name.to_string(), ..Decision::default() };
    let status = load_balancing(&view, decide);
    let claude = &status.providers["claude"];
    assert_eq!(
        (claude.available, claude.excluded.as_deref(), claude.until),
        (false, Some("cooldown"), Some(until))
    );
    assert_eq!((claude.requests_last_minute, claude.share_percent), (2, 66.67));
    let smart = &status.models["smart"];
    let available: Vec<_> = smart.targets.iter().map(|target| target.available).collect();
    assert_eq!((available, smart.decision.model.as_str()), (vec![false, true], "smart"));
}
