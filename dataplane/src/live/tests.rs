use super::*;
use cliproxy_domain::{
    AttemptCounts, BudgetId, CooldownCause, CooldownDurations, Credential, Evidence, HealthCheck, KeyHash,
    KeyRecord, LedgerKey, Measured, OVER_KEYS_KEPT, Permit, Provider, ProviderKind, Quota, QuotaReset,
    QuotaSignal, QuotaUnit, Secret, Signal, Timeouts, TokenUsage,
};
use cliproxy_engine::{
    Load as _,
    cooldown::{Blame, Report},
};
use cliproxy_host::SystemNet;
use std::time::Duration;

const NOW: WallTime = WallTime(1_000_000);

fn after(seconds: u64) -> WallTime {
    NOW.plus(Duration::from_secs(seconds))
}

fn snapshot() -> Snapshot {
    let provider = Provider {
        name: "p".into(),
        kind: ProviderKind::OpenAi,
        base_url: "http://p".into(),
        credentials: vec![Credential::new("k", Secret::new("s"))],
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
    Snapshot { providers: [(provider.name.clone(), provider)].into(), ..Snapshot::default() }
}

fn live() -> Arc<Live> {
    let live = Live::new(Upstreams::new(Arc::new(SystemNet)).unwrap(), 0);
    live.adopt(ConfigId(1), snapshot()).unwrap();
    Arc::new(live)
}

/// A rest of the only credential until `until`, whose permit `node` has.
fn rest(until: WallTime, number: u32, node: &str) -> Cooldown {
    Cooldown {
        key: CooldownKey::credential("p".into(), "k".into()),
        epoch: 0,
        round: 0,
        started_at: NOW,
        until,
        cleared: false,
        cause: CooldownCause::RateLimit,
        source: node.into(),
        permit: Permit { number, node: Some(node.into()) },
        streak: 1,
        evidence: Evidence::default(),
    }
}

fn signal(revision: u64, streams: u64) -> Hint {
    let measured = Measured { streams, ..Measured::default() };
    Hint::Signal(Signal { revision, provider: "p".into(), model: "m".into(), measured })
}

fn streams(live: &Live) -> Option<u64> {
    let outlook = live.known().unwrap().outlook();
    outlook.provider("p").unwrap().measured("m").map(|measured| measured.streams)
}

#[test]
fn what_nobody_repeats_for_fifteen_seconds_is_forgotten_and_the_nodes_own_counts() {
    let live = live();
    assert!(live.hint(signal(7, 100), NOW));
    let row = LedgerRow {
        key: LedgerKey { provider: "p".into(), credential: "k".into(), model: "m".into() }.into(),
        attempts: AttemptCounts { ok: 3, streams: 3, ..AttemptCounts::default() },
        tokens: TokenUsage::default(),
        cost_nanos: 0,
    };
    live.tick(&[row], after(1));
    assert_eq!(streams(&live), Some(100), "the cluster's word goes first");
    assert!(!live.hint(signal(7, 100), after(10)), "nothing changes by a repetition");
    live.tick(&[], after(24));
    assert_eq!(streams(&live), Some(100), "but it was repeated");
    live.tick(&[], after(25));
    assert_eq!(streams(&live), Some(3));
    assert!(live.hint(signal(1, 50), after(26)), "another control plane may number from the start");
    assert_eq!(streams(&live), Some(50));
}

#[test]
fn an_older_value_does_not_keep_a_newer_one_alive() {
    let live = live();
    live.hint(signal(7, 100), NOW);
    live.hint(signal(6, 50), after(10));
    live.tick(&[], after(16));
    assert_eq!(streams(&live), None);
}

#[test]
fn what_a_store_keeps_is_given_for_saving_and_the_rest_is_not() {
    let live = live();
    live.hint(Hint::Cooldown(rest(after(9), 0, "n")), NOW);
    live.hint(signal(1, 1), NOW);
    let quota = QuotaSignal {
        revision: 1,
        budget: BudgetId::of_provider("p", QuotaUnit::Tokens),
        used: 1,
        leased: 0,
        spent_at: None,
        resets_at: after(9),
    };
    live.hint(Hint::Quota(quota), NOW);
    let key = key_record(1);
    live.hint(Hint::ClientKey(key.clone()), NOW);
    assert_eq!(live.hints(), [Hint::Cooldown(rest(after(9), 0, "n")), Hint::ClientKey(key)]);
}

fn key_record(of: u8) -> KeyRecord {
    let hash = KeyHash([of; 32]);
    KeyRecord {
        revision: 1,
        id: hash.id(),
        client: "ci".into(),
        hash,
        created_at: Some(NOW),
        expires_at: None,
        revoked_at: None,
        said_by: "cp-1".into(),
    }
}

#[test]
fn a_revoked_key_is_known_for_a_month_and_a_valid_one_for_good() {
    let live = live();
    let revoked = KeyRecord { revoked_at: Some(NOW), ..key_record(1) };
    live.hint_all([revoked.clone(), key_record(2)].map(Hint::ClientKey), NOW);
    let month = OVER_KEYS_KEPT.as_secs();
    live.tick(&[], after(month - 1));
    assert_eq!(live.hints().len(), 2);
    live.tick(&[], after(month));
    assert_eq!(live.hints(), [Hint::ClientKey(key_record(2))]);
}

#[test]
fn a_request_that_began_on_an_older_configuration_hears_of_rests_as_well() {
    let live = live();
    let older = live.known().unwrap();
    live.adopt(ConfigId(2), snapshot()).unwrap();
    live.hint(Hint::Cooldown(rest(after(9), 0, "n")), NOW);
    for known in [older, live.known().unwrap()] {
        assert!(known.outlook().provider("p").unwrap().credentials[0].rest.is_some());
    }
}

#[test]
fn what_was_found_out_outlives_a_change_of_configuration_and_so_do_open_calls() {
    let live = live();
    live.hint(Hint::Cooldown(rest(after(9), 0, "n")), NOW);
    let call = live.known().unwrap().open_call(0, 0).unwrap();
    live.adopt(ConfigId(2), snapshot()).unwrap();
    let known = live.known().unwrap();
    assert!(known.outlook().provider("p").unwrap().credentials[0].rest.is_some());
    assert_eq!(known.load().in_flight(0, 0), 1);
    drop(call);
    assert_eq!(known.load().in_flight(0, 0), 0);
}

#[test]
fn only_who_has_the_permit_takes_it_and_once_for_each_grant() {
    let live = live();
    live.set_cut_off(false);
    let word = rest(after(5), 0, "n");
    live.hint(Hint::Cooldown(word.clone()), NOW);
    let (holder, other) = (NodeId::from("n"), NodeId::from("o"));
    assert!(live.take_permit(&word, &holder, after(4)).is_none(), "it rests");
    assert!(live.take_permit(&word, &other, after(5)).is_none(), "it is another's");
    let taken = live.take_permit(&word, &holder, after(5)).unwrap();
    assert!(live.take_permit(&word, &holder, after(60)).is_none(), "it is in use");
    // The control plane grants anew what gave no verdict.
    live.hint(Hint::Cooldown(rest(after(5), 1, "n")), after(7));
    let again = live.take_permit(&word, &holder, after(7)).unwrap();
    drop(taken);
    assert!(live.take_permit(&word, &holder, after(7)).is_none(), "the newer grant is still in use");
    drop(again);
    assert!(live.take_permit(&word, &holder, after(7)).is_some(), "it was given back");
}

#[test]
fn an_answer_ends_the_rest_and_whoever_looked_before_takes_no_permit() {
    let live = live();
    let word = rest(after(5), 0, "n");
    live.hint(Hint::Cooldown(word.clone()), NOW);
    let node = NodeId::from("n");
    let cleared = live.take_permit(&word, &node, after(6)).unwrap().answered(&node, after(6)).unwrap();
    assert_eq!((cleared.cleared, cleared.round), (true, 1));
    assert!(live.take_permit(&word, &node, after(6)).is_none());
}

#[test]
fn cut_off_a_node_has_the_permit_itself_and_grants_it_anew_after_a_second() {
    let live = live();
    live.set_cut_off(true);
    let word = rest(after(5), 0, "another");
    live.hint(Hint::Cooldown(word.clone()), NOW);
    let node = NodeId::from("n");
    let first = live.take_permit(&word, &node, after(5)).unwrap();
    assert!(live.take_permit(&word, &node, after(5)).is_none());
    assert!(live.take_permit(&word, &node, after(6)).is_some());
    drop(first);
}

#[test]
fn a_permit_is_asked_for_once_a_second_and_only_of_somebody_who_is_there() {
    let live = live();
    let key = CooldownKey::provider("p".into());
    assert!(!live.wants_permit(&key, NOW), "cut off");
    live.set_cut_off(false);
    let half = Duration::from_millis(500);
    let asked = [NOW, NOW.plus(half), after(1), after(1).plus(half)].map(|now| live.wants_permit(&key, now));
    assert_eq!(asked, [true, false, true, false]);
}

#[test]
fn rests_that_are_long_over_are_forgotten_but_not_an_operators_word() {
    let live = live();
    let over = Cooldown { cleared: true, ..rest(after(1), 0, "n") };
    let spoken = Cooldown { key: CooldownKey::provider("p".into()), epoch: 1, ..over.clone() };
    // Seen of a model that a client named, after an operator's word on the whole provider.
    let of_model = CooldownKey::model("p".into(), "k".into(), "m".into());
    let since = Cooldown { key: of_model, epoch: 1, ..over.clone() };
    live.hint_all([over, spoken.clone(), since].map(Hint::Cooldown), NOW);
    live.tick(&[], after(3_600));
    assert_eq!(live.hints(), [Hint::Cooldown(spoken)]);
}

/// A failure of the only credential that names no wait.
fn report(blame: Blame, at: WallTime) -> Report {
    Report {
        blame,
        subject: LedgerKey { provider: "p".into(), credential: "k".into(), model: "m".into() },
        about_model: false,
        hint: None,
        http_status: 500,
        error_type: "upstream_error".into(),
        seen_epoch: 0,
        node: "n".into(),
        at,
    }
}

#[test]
fn spent_credit_rests_until_the_quota_begins_anew_although_no_control_plane_said_when() {
    let mut snapshot = snapshot();
    let provider = snapshot.providers.get_mut("p").unwrap();
    let reset = QuotaReset::Every(Duration::from_secs(7_200));
    provider.quota = Some(Quota::new(1, QuotaUnit::Tokens, reset));
    let live = live();
    live.adopt(ConfigId(2), snapshot).unwrap();
    let rests = live.failed(&report(Blame::Spent, NOW), None);
    assert_eq!(rests[0].until, WallTime(7_200_000));
}

#[test]
fn spent_credit_of_a_credential_with_a_quota_of_its_own_rests_until_that_begins_anew() {
    let mut snapshot = snapshot();
    let provider = snapshot.providers.get_mut("p").unwrap();
    let every = |seconds| QuotaReset::Every(Duration::from_secs(seconds));
    provider.quota = Some(Quota::new(1, QuotaUnit::Tokens, every(7_200)));
    provider.credentials[0].quota = Some(Quota::new(1, QuotaUnit::Tokens, every(3_600)));
    let live = live();
    live.adopt(ConfigId(2), snapshot).unwrap();
    assert_eq!(live.failed(&report(Blame::Spent, NOW), None)[0].until, WallTime(3_600_000));
}

#[test]
fn errors_count_on_when_one_key_is_well_and_begin_anew_when_the_provider_is() {
    let of_key = Cooldown { cleared: true, ..rest(NOW, 0, "n") };
    let of_provider = Cooldown { key: CooldownKey::provider("p".into()), ..of_key.clone() };
    let spoken = Cooldown { cause: CooldownCause::Manual, epoch: 1, ..of_key.clone() };
    let granted = Cooldown { permit: Permit { number: 4, node: None }, ..spoken.clone() };
    for (words, trips) in
        [(vec![], true), (vec![of_key], true), (vec![of_provider], false), (vec![spoken.clone()], false)]
    {
        let live = live();
        (1..5).for_each(|at| assert!(live.failed(&report(Blame::Error, after(at)), None).is_empty()));
        let seen_epoch = words.iter().map(|word| word.epoch).max().unwrap_or(0);
        live.hint_all(words.clone().into_iter().map(Hint::Cooldown), after(5));
        let fifth = Report { seen_epoch, ..report(Blame::Error, after(20)) };
        assert_eq!(!live.failed(&fifth, None).is_empty(), trips, "{words:?}");
    }
    // A permit that is granted says nothing anew.
    let live = live();
    live.hint(Hint::Cooldown(spoken), NOW);
    let again = |at| Report { seen_epoch: 1, ..report(Blame::Error, after(at)) };
    (1..5).for_each(|at| assert!(live.failed(&again(at), None).is_empty()));
    live.hint(Hint::Cooldown(granted), after(5));
    assert!(!live.failed(&again(6), None).is_empty());
}

#[test]
fn a_probe_that_was_answered_for_the_whole_provider_lets_its_errors_count_anew() {
    let live = live();
    let word = Cooldown { key: CooldownKey::provider("p".into()), ..rest(after(5), 0, "n") };
    (1..5).for_each(|at| assert!(live.failed(&report(Blame::Error, after(at)), None).is_empty()));
    live.hint(Hint::Cooldown(word.clone()), after(5));
    let node = NodeId::from("n");
    live.take_permit(&word, &node, after(6)).unwrap().answered(&node, after(6)).unwrap();
    assert!(live.failed(&report(Blame::Error, after(20)), None).is_empty());
}

#[test]
fn budgets_go_on_over_a_change_of_configuration_that_leaves_them() {
    let live = live();
    let earned = live.known().unwrap();
    (0..1_000).for_each(|_| earned.budgets().earn());
    live.adopt(ConfigId(2), snapshot()).unwrap();
    let kept = live.known().unwrap();
    let taken = (0..500).filter(|_| kept.budgets().retry(NOW)).count();
    assert_eq!(taken, 200, "a fifth of a thousand");
    assert!(!kept.budgets().hedge(NOW), "no second calls are wanted");
}
