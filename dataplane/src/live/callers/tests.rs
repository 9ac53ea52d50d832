use super::*;
use crate::{live::Live, upstream::Upstreams};
use cliproxy_domain::{ClientKey, ConfigId, Hint, Priority, RateLimits, Snapshot};
use cliproxy_host::SystemNet;

const NOW: WallTime = WallTime(1_000_000);

fn hash(byte: u8) -> KeyHash {
    KeyHash([byte; 32])
}

fn client(name: &str, keys: &[(u8, Option<i64>)]) -> Client {
    let key =
        |(byte, ends): &(u8, Option<i64>)| ClientKey { hash: hash(*byte), expires_at: ends.map(WallTime) };
    Client {
        name: name.into(),
        keys: keys.iter().map(key).collect(),
        models: Vec::new(),
        providers: Vec::new(),
        tags: BTreeMap::new(),
        rate_limit: RateLimits::default(),
        budgets: Vec::new(),
        priority: Priority::Normal,
    }
}

fn all(clients: Vec<Client>) -> BTreeMap<ClientName, Client> {
    clients.into_iter().map(|client| (client.name.clone(), client)).collect()
}

fn record(byte: u8, client: &str) -> KeyRecord {
    KeyRecord {
        revision: 1,
        id: hash(byte).id(),
        client: client.into(),
        hash: hash(byte),
        created_at: Some(WallTime(0)),
        expires_at: None,
        revoked_at: None,
        said_by: "cp-1".into(),
    }
}

fn whose(callers: &Callers, byte: u8) -> Result<String, KeyFault> {
    callers.find(&hash(byte), NOW).map(|client| client.name.to_string())
}

#[test]
fn each_key_of_a_client_proves_it_and_no_other_does() {
    let callers =
        Callers::of(&all(vec![client("ci", &[(1, None), (2, None)]), client("web", &[(3, None)])]), []);
    assert!(callers.are_named());
    assert_eq!((whose(&callers, 1), whose(&callers, 2)), (Ok("ci".to_owned()), Ok("ci".to_owned())));
    assert_eq!(whose(&callers, 3), Ok("web".to_owned()));
    assert_eq!(whose(&callers, 4), Err(KeyFault::Unknown));
    let mut alike = hash(1);
    alike.0[31] = 9;
    assert_eq!(callers.find(&alike, NOW), Err(KeyFault::Unknown), "the whole of it must be right");
}

#[test]
fn a_key_is_good_until_its_end_and_not_at_it() {
    let keys = [(1, Some(NOW.0 + 1)), (2, Some(NOW.0))];
    let callers = Callers::of(&all(vec![client("ci", &keys)]), []);
    assert!(whose(&callers, 1).is_ok());
    let expired = KeyFault::Expired { client: "ci".into(), key: hash(2).id(), at: NOW };
    assert_eq!(whose(&callers, 2), Err(expired));
}

#[test]
fn a_key_that_was_made_since_is_good_for_a_configured_client_alone() {
    let clients = all(vec![client("ci", &[])]);
    let callers = Callers::of(&clients, &[record(5, "ci"), record(6, "gone")]);
    assert_eq!(whose(&callers, 5), Ok("ci".to_owned()));
    assert_eq!(whose(&callers, 6), Err(KeyFault::Unknown));
    assert!(!Callers::of(&BTreeMap::new(), &[record(6, "gone")]).are_named());
}

#[test]
fn what_is_said_of_a_configured_key_can_only_take_from_it() {
    let clients = all(vec![client("ci", &[(1, Some(NOW.0 - 1)), (2, None), (3, None)])]);
    let longer = KeyRecord { expires_at: Some(WallTime(NOW.0 + 5)), created_at: None, ..record(1, "ci") };
    let ended = KeyRecord { expires_at: Some(NOW), created_at: None, ..record(2, "ci") };
    let revoked = KeyRecord { revoked_at: Some(WallTime(1)), created_at: None, ..record(3, "ci") };
    let callers = Callers::of(&clients, &[longer, ended, revoked]);
    assert!(matches!(whose(&callers, 1), Err(KeyFault::Expired { .. })));
    assert!(matches!(whose(&callers, 2), Err(KeyFault::Expired { .. })));
    assert_eq!(whose(&callers, 3), Err(KeyFault::Revoked { client: "ci".into(), key: hash(3).id() }));
}

#[test]
fn a_word_on_a_key_counts_at_once_and_outlives_the_configuration() {
    let live = Live::new(Upstreams::new(Arc::new(SystemNet)).unwrap(), 0);
    let revoked = KeyRecord { revoked_at: Some(NOW), created_at: None, ..record(1, "ci") };
    live.hint(Hint::ClientKey(record(5, "ci")), NOW);
    assert!(live.callers().is_none(), "nobody can be told right or wrong without a configuration");
    let snapshot = Snapshot { clients: all(vec![client("ci", &[(1, None)])]), ..Snapshot::default() };
    live.adopt(ConfigId(1), snapshot.clone()).unwrap();
    let whose = |byte| whose(&live.callers().unwrap(), byte).is_ok();
    assert!(whose(1) && whose(5), "what was said before the configuration came counts as well");
    live.hint(Hint::ClientKey(revoked), NOW);
    assert!(!whose(1) && whose(5));
    live.adopt(ConfigId(2), snapshot).unwrap();
    assert!(!whose(1) && whose(5));
}
