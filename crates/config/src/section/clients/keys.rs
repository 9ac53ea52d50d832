//! `clients[].keys`: what proves a client.

use crate::{
    field::Field,
    section::{credential, digest},
};
use cliproxy_domain::{ClientKey, KeyHash, WallTime};
use std::collections::BTreeMap;

/// The most keys of one client; more come from rotation that nobody ends.
const MOST: usize = 100;

/// Below this a key that people make up can be guessed, as nothing slows guesses down.
const SHORT: usize = 20;

/// Reads the list. `known` are the keys read so far, with those who have them.
pub fn read(
    client: &Field<'_>,
    owner: &str,
    now: WallTime,
    known: &mut BTreeMap<KeyHash, String>,
) -> Option<Vec<ClientKey>> {
    let Some(list) = client.section("keys") else { return Some(Vec::new()) };
    let items = list.items();
    if items.len() > MOST {
        list.refuse_key(format!("there are more than {MOST} keys; remove those that nobody uses any more"));
        return None;
    }
    let keys: Vec<Option<ClientKey>> =
        items.iter().map(|item| read_key(item, now).filter(|key| is_new(item, key, owner, known))).collect();
    keys.into_iter().collect()
}

/// Refuses a key that somebody has already: nobody could tell who asks.
fn is_new(item: &Field<'_>, key: &ClientKey, owner: &str, known: &mut BTreeMap<KeyHash, String>) -> bool {
    let Some(other) = known.insert(key.hash, owner.to_owned()) else { return true };
    let field = item.child("key").or_else(|| item.child("sha256")).unwrap_or_else(|| item.clone());
    if other == owner {
        field.refuse("the same key stands here twice; remove one");
    } else {
        field.refuse(format!("the client `{other}` has the same key; give each client keys of its own"));
    }
    false
}

fn read_key(item: &Field<'_>, now: WallTime) -> Option<ClientKey> {
    let hash = match (item.child("sha256"), item.child("key")) {
        (Some(field), None) => digest::read(&field).map(KeyHash),
        (None, Some(field)) => read_plain(&field),
        (Some(_), Some(field)) => {
            field.refuse_key("`sha256` and `key` are both given; remove this one, as the hash suffices");
            None
        }
        (None, None) => {
            item.refuse(format!("there is no key; give its `sha256`, and {}, or `key`", digest::RECIPE));
            None
        }
    };
    let expires_at = match item.child("expires") {
        Some(field) => read_expiry(&field, now).map(Some),
        None => Some(None),
    };
    Some(ClientKey { hash: hash?, expires_at: expires_at? })
}

/// Hashes a key that stands in the text or in a variable; nothing else keeps it.
fn read_plain(field: &Field<'_>) -> Option<KeyHash> {
    let key = credential::read_key(field)?;
    if key.expose().len() < SHORT {
        field.warn(format!(
            "the key is short enough to be guessed; take one of {SHORT} characters or more, as from `openssl rand -hex 24`"
        ));
    }
    Some(KeyHash(digest::of(key.expose())))
}

/// Reads the time from which a key is refused.
fn read_expiry(field: &Field<'_>, now: WallTime) -> Option<WallTime> {
    let text = field.text()?;
    let day = || {
        let day: jiff::civil::Date = text.value.parse().ok()?;
        let begins = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(WallTime(begins.timestamp().as_millisecond()))
    };
    let Some(at) = text.value.parse::<WallTime>().ok().or_else(day) else {
        let example = "such as `2027-01-31` or `2027-01-31T18:00:00Z`";
        field.refuse(format!("{} is not a time; write one {example}", field.shown()));
        return None;
    };
    if at <= now {
        field.warn(format!("the key expired at {at}, and is refused; remove it"));
    }
    Some(at)
}
