//! Budgets, rates, prices and clients: any of them for the properties, what an older sender leaves out, and what is
//! refused.

use super::*;
use cliproxy_domain::{
    Client, ClientKey, KeyHash, LossMode, Price, PriceEntry, Priority, Quota, QuotaReset, QuotaUnit,
    RateLimits, SpentPolicy, WallTime,
};

// Boxed, as are the others: generators are as large as all that they are made of, and would not fit the stack.
pub(super) fn quotas() -> BoxedStrategy<Quota> {
    select(QuotaUnit::ALL.to_vec()).prop_flat_map(quotas_of).boxed()
}

fn quotas_of(unit: QuotaUnit) -> BoxedStrategy<Quota> {
    let resets = prop_oneof![
        Just(QuotaReset::Hourly),
        Just(QuotaReset::Daily),
        Just(QuotaReset::Weekly),
        (1..=28_u8).prop_map(|day| QuotaReset::Monthly { day }),
        operations::durations().prop_map(QuotaReset::Every),
    ];
    let zones = select(vec!["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"]);
    let losses = select(vec![LossMode::Strict, LossMode::Optimistic]);
    let policies = select(SpentPolicy::ALL.to_vec());
    (1..=u64::MAX, resets, zones, losses, policies, 1..=u64::MAX)
        .prop_map(move |(limit, reset, timezone, on_loss, policy, reserve_output)| Quota {
            timezone: timezone.to_owned(),
            on_loss,
            policy,
            reserve_output,
            ..Quota::new(limit, unit, reset)
        })
        .boxed()
}

pub(super) fn rates() -> BoxedStrategy<RateLimits> {
    let limits = [0; 3].map(|_| option::of(1..=u64::MAX));
    (limits, select(LossMode::ALL.to_vec()))
        .prop_map(|(limits, on_loss)| {
            let [requests_per_minute, tokens_per_minute, concurrent_requests] = limits;
            RateLimits { requests_per_minute, tokens_per_minute, concurrent_requests, on_loss }
        })
        .boxed()
}

pub(super) fn prices() -> BoxedStrategy<Vec<PriceEntry>> {
    let price = (any::<[u64; 2]>(), [0; 3].map(|_| option::of(any::<u64>()))).prop_map(
        |([input, output], [cached_input, cache_write, reasoning])| Price {
            input,
            output,
            cached_input,
            cache_write,
            reasoning,
        },
    );
    let models = collection::vec("[a-z*?-]{1,8}", 1..3);
    let entry = (models, price, "config-[0-9a-f]{8}").prop_map(|(models, price, version)| PriceEntry {
        models: models.into_iter().map(ModelPattern::new).collect(),
        price,
        version: version.into(),
    });
    collection::vec(entry, 0..4).boxed()
}

/// Any client of that name, whose keys nobody has who is called by another `salt`.
pub(super) fn client(name: &'static str, salt: u8) -> BoxedStrategy<Client> {
    let key = (1..=u8::MAX, option::of(any::<i64>()));
    let keys = collection::btree_map(1..=u8::MAX, key, 0..3).prop_map(move |keys| {
        let key = |(first, (last, expires_at)): (u8, (u8, Option<i64>))| {
            let mut hash = [salt; 32];
            (hash[0], hash[31]) = (first, last);
            ClientKey { hash: KeyHash(hash), expires_at: expires_at.map(WallTime) }
        };
        keys.into_iter().map(key).collect()
    });
    let may = (collection::vec("[a-z*?-]{1,8}", 0..3), collection::vec("p[0-2]", 0..3));
    let tags = collection::btree_map("[a-z]{1,5}", "\\PC{0,9}", 0..3);
    let budgets = [0; 3].map(|_| any::<bool>());
    let budgets =
        (budgets, quotas_of(QuotaUnit::Tokens), quotas_of(QuotaUnit::Requests), quotas_of(QuotaUnit::Usd))
            .prop_map(|(given, tokens, requests, usd)| {
                let all = [tokens, requests, usd].into_iter().zip(given);
                all.filter(|(_, given)| *given).map(|(quota, _)| quota).collect()
            });
    (keys, may, tags, rates(), budgets, select(Priority::ALL.to_vec()))
        .prop_map(move |(keys, (models, providers), tags, rate_limit, budgets, priority)| Client {
            name: name.into(),
            keys,
            models: models.into_iter().map(ModelPattern::new).collect(),
            providers: providers.into_iter().map(ProviderName::from).collect(),
            tags,
            rate_limit,
            budgets,
            priority,
        })
        .boxed()
}

fn quota(wire: &mut v1::Provider) -> &mut v1::QuotaDef {
    wire.quota.insert(v1::QuotaDef {
        limit: 1,
        unit: "tokens".into(),
        reset: "daily".into(),
        timezone: "UTC".into(),
        ..v1::QuotaDef::default()
    })
}

fn rate(wire: &mut v1::Provider) -> &mut v1::RateLimits {
    wire.credentials[0].rate_limit.insert(v1::RateLimits::default())
}

fn price_entry(wire: &mut v1::Provider) -> &mut v1::PriceEntry {
    wire.prices = vec![v1::PriceEntry {
        models: vec!["*".into()],
        price: Some(v1::Price::default()),
        version: "config-0".into(),
    }];
    &mut wire.prices[0]
}

#[test]
fn what_means_nothing_of_a_limit_or_a_price_is_refused_by_name() {
    type Spoil = fn(&mut v1::Provider);
    let cases: [(Spoil, &str); 18] = [
        (|p| quota(p).limit = 0, "Quota.limit is 0; it must be at least 1"),
        (
            |p| quota(p).unit = "euro".into(),
            "Quota.unit is \"euro\"; it must be one of: tokens, requests, usd",
        ),
        (|p| quota(p).reset = "yearly".into(), "Quota.reset is \"yearly\"; it must be one of: hourly"),
        (|p| quota(p).reset = "monthly".into(), "Quota.reset_day is 0; it must be 1 to 28"),
        (
            |p| *quota(p) = v1::QuotaDef { reset: "monthly".into(), reset_day: 29, ..quota(p).clone() },
            "Quota.reset_day is 29",
        ),
        (
            |p| *quota(p) = v1::QuotaDef { reset: "monthly".into(), reset_day: 257, ..quota(p).clone() },
            "Quota.reset_day is 257",
        ),
        (|p| quota(p).reset = "every".into(), "Quota.every_ms is 0; it must be at least 1"),
        (|p| quota(p).timezone.clear(), "Quota.timezone is missing"),
        (
            |p| quota(p).on_loss = "safe".into(),
            "Quota.on_loss is \"safe\"; it must be one of: strict, optimistic",
        ),
        (|p| quota(p).policy = "shrug".into(), "Quota.policy is \"shrug\"; it must be one of: stop, finish"),
        (
            |p| rate(p).requests_per_minute = Some(0),
            "RateLimits.requests_per_minute is 0; it must be at least 1, or unset",
        ),
        (|p| rate(p).tokens_per_minute = Some(0), "RateLimits.tokens_per_minute is 0"),
        (|p| rate(p).concurrent_requests = Some(0), "RateLimits.concurrent_requests is 0"),
        (
            |p| rate(p).on_loss = "shrug".into(),
            "RateLimits.on_loss is \"shrug\"; it must be one of: strict, safe",
        ),
        (|p| price_entry(p).models.clear(), "PriceEntry.models is missing"),
        (|p| price_entry(p).price = None, "PriceEntry.price is missing"),
        (|p| price_entry(p).version.clear(), "PriceEntry.version is missing"),
        (|p| p.credentials[0].quota = Some(v1::QuotaDef::default()), "Quota.reset is \"\""),
    ];
    for (spoil, message) in cases {
        let error = spoilt(|provider, _| spoil(provider)).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn the_one_price_of_an_older_sender_is_that_of_all_models() {
    let old = v1::Price { input: 3, output: 15, ..v1::Price::default() };
    let snapshot = spoilt(|provider, _| provider.price = Some(old)).unwrap();
    let entry = snapshot.providers["p0"].price_of("any").unwrap();
    assert_eq!((entry.price, entry.version.as_str()), (Price::new(3, 15), "config"));
}

#[test]
fn an_older_receiver_is_told_the_price_that_is_for_all_models() {
    let mut snapshot = small();
    let entry = |pattern: &str, input| PriceEntry {
        models: vec![ModelPattern::new(pattern)],
        ..PriceEntry::for_all(Price::new(input, 9), "config-0")
    };
    let wire = |prices: Vec<PriceEntry>, snapshot: &mut Snapshot| {
        snapshot.providers.get_mut("p0").unwrap().prices = prices;
        let set = EntrySet::from_snapshot(snapshot);
        let body = set.iter().find(|entry| entry.key == "p0").unwrap().body.clone();
        v1::Provider::decode(body).unwrap().price.map(|price| price.input)
    };
    assert_eq!(wire(vec![entry("gpt-*", 1), entry("*", 2)], &mut snapshot), Some(2));
    assert_eq!(wire(vec![entry("gpt-*", 1)], &mut snapshot), None);
}

#[test]
fn an_older_sender_that_knows_budgets_as_limits_alone_gets_the_defaults_of_the_rest() {
    let snapshot = spoilt(|provider, _| {
        quota(provider);
    })
    .unwrap();
    let expected = Quota::new(1, QuotaUnit::Tokens, QuotaReset::Daily);
    assert_eq!(snapshot.providers["p0"].quota, Some(expected));
}

/// Decodes `small` with a client.
fn with_client(client: v1::Client) -> Result<Snapshot, ConvertError> {
    let mut set = EntrySet::from_snapshot(&small());
    set.insert(Entry::new(v1::Kind::Client.into(), client.name.clone(), client.encode_to_vec()));
    set.to_snapshot()
}

#[test]
fn a_client_that_is_but_named_may_do_everything() {
    let named = v1::Client { name: "ci".into(), ..v1::Client::default() };
    let snapshot = with_client(named).unwrap();
    let client = &snapshot.clients["ci"];
    assert!(client.rate_limit.is_empty() && client.budgets.is_empty() && client.models.is_empty());
    assert_eq!(client.priority, Priority::Normal);
}

#[test]
fn what_means_nothing_of_a_client_is_refused_by_name() {
    let key = |byte: u8| v1::ClientKey { hash: vec![byte; 32], expires_at_ms: None };
    let budget = || v1::QuotaDef {
        limit: 1,
        unit: "usd".into(),
        reset: "daily".into(),
        timezone: "UTC".into(),
        ..v1::QuotaDef::default()
    };
    let of = |change: &dyn Fn(&mut v1::Client)| {
        let mut client = v1::Client { name: "ci".into(), ..v1::Client::default() };
        change(&mut client);
        with_client(client).unwrap_err().to_string()
    };
    assert_eq!(of(&|client| client.name.clear()), "Client.name is missing; the sender must set it");
    assert_eq!(
        of(&|client| client.keys = vec![v1::ClientKey { hash: vec![1; 31], expires_at_ms: None }]),
        "the length of ClientKey.hash is 31; it must be 32 bytes"
    );
    assert_eq!(
        of(&|client| client.keys = vec![key(7), key(7)]),
        "the ClientKey named \"070707070707\" is there twice; names must be unique"
    );
    assert_eq!(
        of(&|client| client.budgets = vec![budget(), budget()]),
        "Client.budgets of unit \"usd\" is there twice; names must be unique"
    );
    assert_eq!(
        of(&|client| client.priority = "first".into()),
        "Client.priority is \"first\"; it must be one of: low, normal, high"
    );
}
