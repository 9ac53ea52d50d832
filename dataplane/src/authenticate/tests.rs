use super::*;
use cliproxy_domain::{ClientKey, RateLimits};
use http::{HeaderMap, Uri};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

const NOW: WallTime = WallTime(1_793_534_400_000);
const NEAR: &str = "127.0.0.1:1";
const FAR: &str = "192.0.2.1:1";

fn client(name: &str, keys: &[(&str, Option<WallTime>)]) -> Client {
    let key = |(key, expires_at): &(&str, Option<WallTime>)| ClientKey {
        hash: KeyHash(Sha256::digest(key.as_bytes()).into()),
        expires_at: *expires_at,
    };
    Client {
        name: name.into(),
        keys: keys.iter().map(key).collect(),
        models: Vec::new(),
        providers: Vec::new(),
        tags: BTreeMap::new(),
        rate_limit: RateLimits::default(),
        budgets: Vec::new(),
        priority: Priority::High,
    }
}

fn named() -> Callers {
    let ci = client("ci", &[("good", None), ("old", Some(NOW))]);
    Callers::of(&[(ci.name.clone(), ci)].into(), [])
}

fn shown(keys: &[(&'static str, &'static str)]) -> ShownKeys {
    let headers: HeaderMap =
        keys.iter().map(|(name, key)| (name.parse().unwrap(), key.parse().unwrap())).collect();
    ShownKeys::of(&Uri::from_static("/v1/models"), &headers)
}

fn asked(
    allow_anonymous: bool,
    address: &str,
    keys: &[(&'static str, &'static str)],
    callers: Option<&Callers>,
) -> Result<Caller, Refusal> {
    let origin = Origin::of(Peer { address: address.parse().unwrap() }, &HeaderMap::new());
    authenticate(Admission { allow_anonymous }, origin, &shown(keys), callers, NOW)
}

fn code(result: Result<Caller, Refusal>) -> Option<&'static str> {
    result.err().and_then(|refusal| refusal.code)
}

#[test]
fn without_clients_only_callers_on_this_machine_are_served() {
    let nobody = Callers::default();
    let admitted = |allow, address| asked(allow, address, &[("x-api-key", "any")], Some(&nobody)).is_ok();
    assert!(admitted(false, NEAR));
    assert!(admitted(false, "[::1]:1"));
    assert!(admitted(false, "[::ffff:127.0.0.1]:1"));
    assert!(!admitted(false, FAR));
    assert!(admitted(true, FAR));
}

#[test]
fn with_clients_a_key_is_needed_from_everybody() {
    let callers = named();
    for address in [NEAR, FAR] {
        let refusal = asked(false, address, &[], Some(&callers)).unwrap_err();
        assert_eq!((refusal.class, refusal.code), (ErrorClass::Auth, Some("missing_api_key")), "{address}");
        let caller = asked(false, address, &[("x-api-key", "good")], Some(&callers)).unwrap();
        assert_eq!(caller.name().map(ClientName::as_str), Some("ci"));
        assert_eq!(caller.priority(), Priority::High);
    }
}

#[test]
fn anonymous_callers_need_no_key_where_they_are_allowed_and_a_wrong_one_is_refused_all_the_same() {
    let callers = named();
    let anonymous = asked(true, FAR, &[], Some(&callers)).unwrap();
    assert_eq!((anonymous.name(), anonymous.priority()), (None, Priority::Normal));
    assert_eq!(code(asked(true, FAR, &[("x-api-key", "bad")], Some(&callers))), Some("invalid_api_key"));
}

#[test]
fn a_key_that_is_not_good_is_told_so_and_not_shown() {
    let callers = named();
    let unknown = asked(false, FAR, &[("x-api-key", "bad-secret")], Some(&callers)).unwrap_err();
    assert_eq!((unknown.class, unknown.code), (ErrorClass::Auth, Some("invalid_api_key")));
    assert!(!unknown.message.contains("bad-secret"));
    let expired = asked(false, FAR, &[("x-api-key", "old")], Some(&callers)).unwrap_err();
    assert_eq!((expired.class, expired.code), (ErrorClass::Auth, Some("expired_api_key")));
    assert!(expired.message.contains("of client ci expired at 2026-11-01T12:00:00Z"), "{}", expired.message);
}

#[test]
fn one_good_key_is_enough_and_of_bad_ones_the_one_that_was_good_is_told() {
    let callers = named();
    let both = [("authorization", "Bearer made-up"), ("x-api-key", "good")];
    assert!(asked(false, FAR, &both, Some(&callers)).is_ok());
    for keys in [
        [("authorization", "Bearer made-up"), ("x-api-key", "old")],
        [("authorization", "Bearer old"), ("x-api-key", "made-up")],
    ] {
        assert_eq!(code(asked(false, FAR, &keys, Some(&callers))), Some("expired_api_key"));
    }
}

#[test]
fn without_a_configuration_no_key_is_called_wrong() {
    assert!(asked(false, FAR, &[("x-api-key", "any")], None).is_ok());
    assert_eq!(code(asked(false, FAR, &[], None)), Some("anonymous_not_allowed"));
    assert!(asked(false, NEAR, &[], None).is_ok());
}
