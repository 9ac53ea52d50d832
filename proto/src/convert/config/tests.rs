mod limits;
mod operations;
mod translated;

use super::*;
use crate::convert::ConvertError;
use cliproxy_domain::{
    Alias, AliasTarget, CooldownDurations, Credential, HealthCheck, ModelName, ModelPattern, Policy,
    Provider, ProviderKind, ProviderName, Secret, Strategy, Target, Timeouts,
};
// proptest's trait shares its name with the domain's type.
use proptest::strategy::Strategy as Generate;
use proptest::{collection, option, prelude::*, sample::select};
use std::time::Duration;

fn timeouts() -> impl Generate<Value = Timeouts> {
    [0..1_000_000_u64, 0..1_000_000, 0..1_000_000, 0..1_000_000].prop_map(|ms| {
        let [connect, first_byte, idle, total] = ms.map(Duration::from_millis);
        Timeouts { connect, first_byte, idle, total }
    })
}

fn provider(name: String) -> BoxedStrategy<Provider> {
    let kinds = select(vec![
        ProviderKind::Anthropic,
        ProviderKind::OpenAi,
        ProviderKind::Gemini,
        ProviderKind::OpenAiCompatible,
    ]);
    let limited = (limits::rates(), option::of(limits::quotas()));
    let keys = collection::vec(("\\PC{0,12}", 1..9_u32, limited), 1..4);
    let models = collection::vec("[a-z*?-]{1,8}", 0..4);
    let known = (translated::profiles(), collection::vec(translated::traits(), 0..3));
    let set = operations::of_a_provider();
    (kinds, "[a-z.]{1,12}", keys, models, (1..9_u32, 0..5_u32), timeouts(), known, set)
        .prop_map(move |(kind, host, keys, models, (weight, priority), timeouts, (profile, traits), set)| {
            Provider {
                name: ProviderName::from(name.as_str()),
                kind,
                base_url: format!("https://{host}"),
                credentials: keys
                    .into_iter()
                    .enumerate()
                    .map(|(i, (key, weight, (rate_limit, quota)))| Credential {
                        name: format!("key-{i}").into(),
                        api_key: Secret::new(key),
                        weight,
                        rate_limit,
                        quota,
                    })
                    .collect(),
                models: models.into_iter().map(ModelPattern::new).collect(),
                weight,
                priority,
                timeouts,
                profile: (kind == ProviderKind::OpenAiCompatible).then_some(profile),
                traits,
                cooldown: set.0,
                health_check: set.1,
                quota: set.2,
                prices: set.3,
            }
        })
        .boxed()
}

fn alias(name: String) -> impl Generate<Value = Alias> {
    let target = (select(vec!["p0", "p1"]), "[a-z0-9-]{1,9}", option::of(0..4_u32), option::of(1..9_u32));
    (collection::vec(target, 1..4), option::of(select(Strategy::ALL.to_vec()))).prop_map(
        move |(targets, strategy)| Alias {
            name: ModelName::from(name.as_str()),
            targets: targets
                .into_iter()
                .map(|(provider, model, priority, weight)| AliasTarget {
                    target: Target { provider: provider.into(), model: model.into() },
                    priority,
                    weight,
                })
                .collect(),
            strategy,
        },
    )
}

/// Any configuration of the providers `p0`, `p1` and perhaps `p2`, and of up to two aliases and two clients.
fn snapshots() -> impl Generate<Value = Snapshot> {
    let policy = (operations::policies(), timeouts(), translated::translations());
    let policy =
        policy.prop_map(|(policy, timeouts, translation)| Policy { timeouts, translation, ..policy });
    let aliases = (option::of(alias("fast".into())), option::of(alias("smart".into())));
    let clients = (option::of(limits::client("ci", 1)), option::of(limits::client("web", 2)));
    (
        provider("p0".into()),
        provider("p1".into()),
        option::of(provider("p2".into())),
        aliases,
        policy,
        clients,
    )
        .prop_map(|(p0, p1, p2, (fast, smart), policy, (ci, web))| Snapshot {
            providers: [p0, p1].into_iter().chain(p2).map(|p| (p.name.clone(), p)).collect(),
            models: fast.into_iter().chain(smart).map(|a| (a.name.clone(), a)).collect(),
            clients: ci.into_iter().chain(web).map(|c| (c.name.clone(), c)).collect(),
            policy,
        })
}

proptest! {
    #[test]
    fn a_configuration_comes_back_as_it_was(snapshot in snapshots()) {
        let set = EntrySet::from_snapshot(&snapshot);
        prop_assert_eq!(set.to_snapshot().unwrap(), snapshot);
    }

    #[test]
    fn a_delta_leads_where_the_whole_set_leads(from in snapshots(), to in snapshots()) {
        let (from, to) = (EntrySet::from_snapshot(&from), EntrySet::from_snapshot(&to));
        let mut applied = from.clone();
        applied.apply(&diff(&from, &to)).unwrap();
        prop_assert_eq!(applied.hash(), to.hash());
        prop_assert_eq!(applied, to);
    }

    #[test]
    fn a_configuration_is_no_change_to_itself(snapshot in snapshots()) {
        let set = EntrySet::from_snapshot(&snapshot);
        prop_assert_eq!(diff(&set, &EntrySet::from_snapshot(&snapshot)), vec![]);
    }

    #[test]
    fn whatever_bytes_come_decoding_answers(kind in 0..12_i32, key in "[a-z]{0,3}", body in collection::vec(any::<u8>(), 0..64)) {
        // An answer of either kind will do; a panic will not.
        let _ = snapshot([&Entry::new(kind, key, body)]);
    }
}

/// A configuration of one provider and one alias, to be spoilt.
fn small() -> Snapshot {
    let provider = Provider {
        name: "p0".into(),
        kind: ProviderKind::OpenAi,
        base_url: "https://api.example".into(),
        credentials: vec![Credential::new("main", Secret::new("sk-secret"))],
        models: vec![],
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
    let target = Target { provider: "p0".into(), model: "m".into() };
    let alias = Alias {
        name: "smart".into(),
        targets: vec![AliasTarget { target, priority: None, weight: None }],
        strategy: None,
    };
    Snapshot {
        providers: [(provider.name.clone(), provider)].into(),
        models: [(alias.name.clone(), alias)].into(),
        ..Snapshot::default()
    }
}

/// Decodes `small` after `spoil` had a go at the messages of its provider and its policy.
fn spoilt(spoil: impl Fn(&mut v1::Provider, &mut v1::Policy)) -> Result<Snapshot, ConvertError> {
    let set = EntrySet::from_snapshot(&small());
    let body = |key: &str| set.iter().find(|entry| entry.key == key).unwrap().body.clone();
    let mut provider = v1::Provider::decode(body("p0")).unwrap();
    let mut policy = v1::Policy::decode(body("")).unwrap();
    provider.kind = "openai_compatible".to_owned();
    provider.profile = Some(v1::Profile {
        auth_header: "authorization".to_owned(),
        max_tokens: "max_tokens".to_owned(),
        reasoning_field: "reasoning".to_owned(),
        max_tool_id: 40,
        ..Default::default()
    });
    spoil(&mut provider, &mut policy);
    let mut set = set.clone();
    set.insert(Entry::new(v1::Kind::Provider.into(), "p0", provider.encode_to_vec()));
    set.insert(Entry::new(v1::Kind::Policy.into(), "", policy.encode_to_vec()));
    set.to_snapshot()
}

#[test]
fn order_does_not_change_the_hash_and_content_does() {
    let entries = entries(&small());
    assert_eq!(set_hash(&entries), set_hash(entries.iter().rev()));
    let mut other = small();
    other.policy.retries.max_attempts += 1;
    assert_ne!(EntrySet::from_snapshot(&other).hash(), set_hash(&entries));
}

#[test]
fn key_and_body_do_not_trade_bytes() {
    assert_ne!(Entry::new(1, "ab", "c".as_bytes()).hash, Entry::new(1, "a", "bc".as_bytes()).hash);
}

#[test]
fn kinds_from_the_future_are_skipped_listed_and_hashed() {
    let mut set = EntrySet::from_snapshot(&small());
    let before = set.hash();
    set.insert(Entry::new(77, "x", "?".as_bytes()));
    assert_eq!(set.unsupported(), [77]);
    assert_eq!(set.to_snapshot().unwrap(), small());
    assert_ne!(set.hash(), before);
}

#[test]
fn a_broken_configuration_is_refused_by_name() {
    let mut gone = small();
    gone.providers.clear();
    let mut idle = small();
    idle.providers.values_mut().for_each(|p| p.credentials[0].weight = 0);
    let mut elsewhere = small();
    elsewhere.providers.values_mut().for_each(|p| p.base_url = "ftp://x".into());
    let cases = [
        (gone, "alias \"smart\" names provider \"p0\", which is not configured; add it or drop the target"),
        (idle, "Credential.weight is 0; it must be at least 1"),
        (elsewhere, "Provider.base_url is \"ftp://x\"; it must be one of: http://…, https://…"),
    ];
    for (snapshot, message) in cases {
        assert_eq!(EntrySet::from_snapshot(&snapshot).to_snapshot().unwrap_err().to_string(), message);
    }
}

#[test]
fn a_set_without_a_policy_is_not_whole() {
    let set: EntrySet = entries(&small()).into_iter().filter(|e| e.kind != v1::Kind::Policy as i32).collect();
    assert_eq!(set.to_snapshot(), Err(ConvertError::Missing { field: "policy" }));
}

#[test]
fn a_body_under_another_name_is_refused() {
    let mut set = EntrySet::from_snapshot(&small());
    let stolen = set.iter().find(|e| e.key == "p0").unwrap().body.clone();
    set.insert(Entry::new(v1::Kind::Provider.into(), "p1", stolen));
    assert!(matches!(set.to_snapshot(), Err(ConvertError::WrongName { .. })));
}

#[test]
fn a_change_that_neither_puts_nor_deletes_is_refused() {
    let mut set = EntrySet::from_snapshot(&small());
    assert!(set.apply(&[v1::Change::default()]).is_err());
}

#[test]
fn debug_shows_no_key() {
    let set = EntrySet::from_snapshot(&small());
    assert!(!format!("{set:?}").contains("sk-secret"));
    assert!(!format!("{set:?}").contains(&format!("{:?}", "sk-secret".as_bytes())[1..20]));
}
