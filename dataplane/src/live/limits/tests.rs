use super::*;
use cliproxy_domain::{
    BudgetGrant, Client, Credential, LossMode, Provider, ProviderKind, QuotaReset, QuotaUnit, Secret,
    WallTime,
};

/// Limits of a provider, its credential `k`, and a client.
fn snapshot(tokens: u64, requests: u64) -> Snapshot {
    let quota = |unit| Quota::new(tokens, unit, QuotaReset::Daily);
    let rates = RateLimits { requests_per_minute: Some(requests), ..RateLimits::default() };
    let credential = Credential { rate_limit: rates, ..Credential::new("k", Secret::new("s")) };
    let provider = Provider {
        name: "p".into(),
        kind: ProviderKind::OpenAi,
        base_url: "http://p".into(),
        credentials: vec![credential, Credential::new("free", Secret::new("s"))],
        models: Vec::new(),
        weight: 1,
        priority: 1,
        timeouts: Default::default(),
        profile: None,
        traits: Vec::new(),
        cooldown: Default::default(),
        health_check: Default::default(),
        quota: Some(quota(QuotaUnit::Tokens)),
        prices: Vec::new(),
    };
    let client = Client {
        name: "ci".into(),
        keys: Vec::new(),
        models: Vec::new(),
        providers: Vec::new(),
        tags: Default::default(),
        rate_limit: RateLimits { tokens_per_minute: Some(1_000), on_loss: LossMode::Strict, ..rates },
        budgets: vec![quota(QuotaUnit::Usd)],
        priority: Default::default(),
    };
    Snapshot {
        providers: [(provider.name.clone(), provider)].into(),
        clients: [(client.name.clone(), client)].into(),
        ..Snapshot::default()
    }
}

fn names<T>(all: impl Iterator<Item = T>, name: impl Fn(T) -> String) -> Vec<String> {
    all.map(name).collect()
}

#[test]
fn every_limit_of_a_configuration_is_held_for_whom_it_is_of() {
    let limits = Limits::of(&snapshot(10, 5), &Limits::default(), &Ground::default());
    let budgets = names(limits.budgets(), |purse| purse.id().to_string());
    assert_eq!(budgets, ["provider p (tokens)", "client ci (usd)"]);
    let rates = names(limits.rates(), |rate| rate.id().to_string());
    let expected = [
        "credential p/k (requests_per_minute)",
        "client ci (requests_per_minute)",
        "client ci (tokens_per_minute)",
    ];
    assert_eq!(rates, expected);
    let credential = limits.of_credential(&"p".into(), &"k".into()).unwrap();
    assert_eq!(credential.rate(RateKind::RequestsPerMinute).unwrap().limit, 5);
    assert!(credential.rate(RateKind::TokensPerMinute).is_none());
    assert!(limits.of_credential(&"p".into(), &"free".into()).is_none());
    assert_eq!(limits.of_client(&"ci".into()).unwrap().rates.len(), 2);
    assert!(limits.of_client(&"web".into()).is_none());
}

#[test]
fn what_is_held_outlives_a_configuration_in_which_the_limit_stays() {
    let ground = Ground::default();
    let before = Limits::of(&snapshot(10, 5), &Limits::default(), &ground);
    let after = Limits::of(&snapshot(20, 7), &before, &ground);
    let provider = |limits: &Limits| Arc::clone(&limits.of_provider(&"p".into()).unwrap().budgets[0].purse);
    assert!(Arc::ptr_eq(&provider(&before), &provider(&after)));
    assert_eq!(after.of_provider(&"p".into()).unwrap().budgets[0].quota.limit, 20);
    let rate = |limits: &Limits| Arc::clone(&limits.of_client(&"ci".into()).unwrap().rates[0].rate);
    assert!(Arc::ptr_eq(&rate(&before), &rate(&after)));
    assert_eq!(after.leaving().count(), 0);
}

#[test]
fn a_budget_that_is_gone_gives_back_what_it_holds_until_that_is_heard() {
    let ground = Ground::default();
    let before = Limits::of(&snapshot(10, 5), &Limits::default(), &ground);
    let purse = Arc::clone(&before.of_provider(&"p".into()).unwrap().budgets[0].purse);
    let grant = BudgetGrant {
        id: purse.id().clone(),
        period: WallTime(0),
        ends_in: Duration::from_secs(60),
        granted: 10,
        limit: 10,
        used: 0,
        leased: 10,
        recall: false,
    };
    let now = ground.clock.passed();
    purse.apply(&grant, now);
    let gone = Limits::of(&Snapshot::default(), &before, &ground);
    assert_eq!(purse.state(now).unwrap().returned, 10);
    assert_eq!(
        names(gone.leaving(), |purse| purse.id().to_string()),
        ["provider p (tokens)", "client ci (usd)"]
    );
    let later = Limits::of(&Snapshot::default(), &gone, &ground);
    assert_eq!(later.leaving().count(), 2, "another configuration does not forget them");
    assert_eq!(later.without(|leaving| leaving.id() == purse.id()).leaving().count(), 1);
    let back = Limits::of(&snapshot(10, 5), &later, &ground);
    assert!(Arc::ptr_eq(&back.of_provider(&"p".into()).unwrap().budgets[0].purse, &purse));
    assert_eq!(back.leaving().count(), 0);
}

#[test]
fn what_was_given_and_given_back_is_known_until_the_period_is_over() {
    let ground = Ground::default();
    let limited = snapshot(10, 5);
    let before = Limits::of(&limited, &Limits::default(), &ground);
    let purse = Arc::clone(&before.of_provider(&"p".into()).unwrap().budgets[0].purse);
    let grant = |ends_in| BudgetGrant {
        id: purse.id().clone(),
        period: WallTime(0),
        ends_in,
        granted: 10,
        limit: 10,
        used: 0,
        leased: 10,
        recall: false,
    };
    purse.apply(&grant(Duration::from_secs(60)), ground.clock.passed());
    let gone = Limits::of(&Snapshot::default(), &before, &ground).without(|_| true);
    assert_eq!((gone.leaving().count(), gone.budget(purse.id()).is_none()), (0, true));
    let gone = Limits::of(&Snapshot::default(), &gone, &ground);
    let is_the_same = |limits: &Limits| Arc::ptr_eq(&limits.budgets[purse.id()], &purse);
    assert!(is_the_same(&Limits::of(&limited, &gone, &ground)));
    purse.apply(&grant(Duration::ZERO), ground.clock.passed());
    let later = Limits::of(&Snapshot::default(), &gone, &ground);
    assert!(!is_the_same(&Limits::of(&limited, &later, &ground)), "of another period nothing was given");
}

#[test]
fn what_is_left_is_told_of_the_whole_limit_by_this_nodes_share_of_it() {
    let ground = Ground::default();
    let limits = Limits::of(&snapshot(10, 100), &Limits::default(), &ground);
    let held = limits.of_client(&"ci".into()).unwrap();
    let now = ground.clock.passed();
    let rate = &held.rate(RateKind::RequestsPerMinute).unwrap().rate;
    let _claim = rate.claim(1, now);
    let (id, ttl) = (rate.id().clone(), Duration::from_secs(10));
    rate.apply(
        &cliproxy_domain::RateGrant { id, share: 20, ttl, safe_share: 5, limit: 100, recall: false },
        1,
    );
    for _ in 0..5 {
        let _taken = rate.take(1, 100, now).unwrap();
    }
    let told = held.allowances(now).of_requests.unwrap();
    assert_eq!((told.limit, told.remaining), (100, 75));
    assert!(told.full_in > Duration::from_secs(59), "{told:?}");
    let tokens = held.allowances(now).of_tokens.unwrap();
    assert_eq!((tokens.limit, tokens.remaining), (1_000, 0), "nothing was granted of it");
}

#[test]
fn a_rate_that_stays_goes_by_the_new_limit_and_by_what_is_to_happen_on_a_loss() {
    let ground = Ground::default();
    let now = ground.clock.passed();
    let of = |limit, on_loss| {
        let mut snapshot = snapshot(10, limit);
        snapshot.clients.get_mut("ci").unwrap().rate_limit.on_loss = on_loss;
        snapshot
    };
    let rate_of = |limits: &Limits| Arc::clone(&limits.of_client(&"ci".into()).unwrap().rates[0].rate);
    let before = Limits::of(&of(100, LossMode::Safe), &Limits::default(), &ground);
    let rate = rate_of(&before);
    let _claim = rate.claim(1, now);
    let (id, ttl) = (rate.id().clone(), Duration::from_secs(10));
    let grant = cliproxy_domain::RateGrant { id, share: 50, ttl, safe_share: 40, limit: 100, recall: false };
    rate.apply(&grant, 1);
    assert!(Arc::ptr_eq(&rate, &rate_of(&Limits::of(&of(100, LossMode::Safe), &before, &ground))));
    assert!(!rate.is_due(), "nothing has changed");

    let lower = Limits::of(&of(10, LossMode::Safe), &before, &ground);
    assert!(Arc::ptr_eq(&rate, &rate_of(&lower)) && rate.is_due(), "a grant by the new limit is asked for");
    assert_eq!((rate.state(now).limit, rate.state(now).share), (10, 5));
    let lost = now + Duration::from_secs(200);
    assert_eq!(rate.state(lost).share, 4, "the safe share is of the new limit, too");
    let higher = Limits::of(&of(1_000, LossMode::Safe), &lower, &ground);
    assert_eq!((rate.state(now).limit, rate.state(now).share), (1_000, 5), "more is granted first");
    let _strict = Limits::of(&of(1_000, LossMode::Strict), &higher, &ground);
    assert_eq!(rate.state(lost).share, 0);
    let _optimistic = Limits::of(&of(1_000, LossMode::Optimistic), &higher, &ground);
    assert_eq!(rate.state(lost).share, 1_000, "no more than all of it is shown");
    assert!((0..1_001).all(|_| rate.take(1, 100, lost).is_ok()), "and more may be taken");
}

#[test]
fn before_its_first_grant_a_node_that_hears_nobody_takes_a_fiftieth_of_a_safe_rate() {
    let ground = Ground::default();
    for (limit, first) in [(1_000, 20), (100, 2), (3, 1)] {
        let limits = Limits::of(&snapshot(10, limit), &Limits::default(), &ground);
        let held = limits.of_credential(&"p".into(), &"k".into()).unwrap();
        let rate = &held.rate(RateKind::RequestsPerMinute).unwrap().rate;
        let now = ground.clock.passed();
        assert_eq!(rate.state(now).share, 0, "a control plane is waited for");
        rate.set_cut_off(true);
        assert_eq!(rate.state(now).share, first);
        let _claim = rate.claim(1, now);
        let (id, ttl) = (rate.id().clone(), Duration::from_secs(10));
        let grant =
            cliproxy_domain::RateGrant { id, share: limit, ttl, safe_share: limit, limit, recall: false };
        rate.apply(&grant, 1);
        assert_eq!(
            rate.state(now + Duration::from_secs(200)).share,
            limit,
            "then it goes by what it was told"
        );
    }
}
