//! What operators ask of a client's keys.

use super::{
    MAX_NAME, OrderError, Shown, Wait,
    body::{Body, Given, text, time, unknown},
    checked, cut,
};
use crate::{client::KeyId, name::ClientName, period::UsagePeriod};
use std::time::Duration;

/// How long a key goes on that another replaces, where the call does not say.
pub const USUAL_OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest that it may go on.
pub const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The longest that a key may live that does not live for good.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(3_650 * 24 * 60 * 60);
/// The word for a key without an end.
const NEVER: &str = "never";

/// What is asked of a client's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyVerb {
    /// `POST …/keys`: one more.
    Create,
    /// `POST …/keys/{id}/rotate`: another in its place, and both for a while.
    Rotate,
    /// `POST …/keys/{id}/revoke`: that it is refused from now on.
    Revoke,
}

impl KeyVerb {
    /// Names it as people say it.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyVerb::Create => "creating a key",
            KeyVerb::Rotate => "rotating a key",
            KeyVerb::Revoke => "revoking a key",
        }
    }

    /// Lists the fields that its body takes.
    pub fn fields(self) -> &'static [&'static str] {
        const ALL: [&str; 6] = ["overlap", "expires_in", "reason", "request_id", "wait", "timeout"];
        match self {
            KeyVerb::Create => &ALL[1..],
            KeyVerb::Rotate => &ALL,
            KeyVerb::Revoke => &ALL[2..],
        }
    }
}

/// How long a new key lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as the key that it replaces was given; for good when that has no end, and when there is none.
    #[default]
    Usual,
    /// For good.
    Unending,
    /// So long.
    Of(Duration),
}

/// What a caller wants of a client's keys, before it is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyWanted {
    /// How long the new key lives.
    pub expires_in: Lifetime,
    /// How long the one goes on that it replaces.
    pub overlap: Option<Duration>,
    /// Why, in his words.
    pub reason: Option<String>,
    /// The name of the call: a second one of the same name does nothing.
    pub request_id: Option<String>,
    /// For how many nodes the answer waits; none for all, so that the key can be used once it is answered.
    pub wait: Option<Wait>,
    /// For how long at most.
    pub timeout: Option<Duration>,
}

/// What a caller wants of a client's keys, checked and with all defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOrder {
    /// What is asked.
    pub verb: KeyVerb,
    /// Of which client.
    pub client: ClientName,
    /// Of which key; none of a new one.
    pub id: Option<KeyId>,
    /// How long the new key lives.
    pub expires_in: Lifetime,
    /// How long the one goes on that it replaces.
    pub overlap: Duration,
    /// Why; empty when he gave no reason.
    pub reason: String,
    /// The name of the call.
    pub request_id: Option<String>,
    /// For how many nodes the answer waits.
    pub wait: Wait,
    /// For how long at most.
    pub timeout: Duration,
}

impl KeyWanted {
    /// Reads what a caller wants.
    ///
    /// # Errors
    /// [`OrderError`] names the field, what it holds, and what to do.
    pub fn read(verb: KeyVerb, body: Body) -> Result<Self, OrderError> {
        let mut wanted = Self::default();
        for (field, given) in body.into_fields() {
            let Some(field) = verb.fields().iter().copied().find(|known| *known == field) else {
                return Err(unknown(&field, &given, verb.as_str(), verb.fields()));
            };
            match field {
                "expires_in" => wanted.expires_in = lifetime(given)?,
                "overlap" => wanted.overlap = Some(length(field, given)?),
                "reason" => wanted.reason = Some(text(field, given)?),
                "request_id" => wanted.request_id = Some(text(field, given)?),
                "wait" => wanted.wait = Some(Wait::read(&text(field, given)?)?),
                _ => wanted.timeout = Some(time(field, given)?),
            }
        }
        Ok(wanted)
    }

    /// Checks what a caller wants.
    ///
    /// # Errors
    /// [`OrderError`] names the field, what it holds, and what to do.
    pub fn order(self, verb: KeyVerb, client: &str, id: Option<&str>) -> Result<KeyOrder, OrderError> {
        if let Lifetime::Of(lifetime) = self.expires_in
            && (lifetime < Duration::from_secs(1) || lifetime > LONGEST_LIFETIME)
        {
            let remedy = "give a time from 1 second to 3650 days, as \"90d\" or \"12h\", or \"never\"";
            return Err(OrderError::field("expires_in", Shown(lifetime), remedy));
        }
        let overlap = self.overlap.unwrap_or(USUAL_OVERLAP);
        if overlap > LONGEST_OVERLAP {
            let remedy = "give a time of at most 30 days, as \"24h\"; \"0s\" ends the old key at once";
            return Err(OrderError::field("overlap", Shown(overlap), remedy));
        }
        // What is longer names nothing, and would only be repeated in the answer and the log.
        if client.is_empty() || client.len() > MAX_NAME {
            let remedy = "give a name of 1 to 200 bytes, as GET /v0/operations/clients lists them";
            return Err(OrderError::field("client", format_args!("{:?}", cut(client)), remedy));
        }
        let id = id.map(read_id).transpose()?;
        Ok(KeyOrder {
            verb,
            client: client.into(),
            id,
            expires_in: self.expires_in,
            overlap,
            reason: checked::reason(self.reason)?,
            request_id: checked::request_id(self.request_id)?,
            wait: self.wait.unwrap_or(Wait::All),
            timeout: checked::timeout(self.timeout)?,
        })
    }
}

impl KeyOrder {
    /// Tells in one line what is asked, so that two calls of one name can be told apart. What does not change the
    /// outcome is not in it.
    pub fn call(&self) -> String {
        let id = self.id.as_ref().map_or("", |id| id.0.as_str());
        let Self { verb, client, overlap, .. } = self;
        let reason = match self.reason.as_str() {
            "" => String::new(),
            reason => format!(" (reason: {reason:?})"),
        };
        let life = match self.expires_in {
            Lifetime::Usual => String::new(),
            Lifetime::Unending => " that never expires".to_owned(),
            Lifetime::Of(lifetime) => format!(" that expires in {}", Shown(lifetime)),
        };
        match verb {
            KeyVerb::Create => format!("`make a key for client {client}{life}{reason}`"),
            KeyVerb::Rotate => {
                let overlap = Shown(*overlap);
                format!(
                    "`make another key{life} in the place of key {id} of client {client}, which goes on for {overlap}{reason}`"
                )
            }
            KeyVerb::Revoke => format!("`revoke key {id} of client {client}{reason}`"),
        }
    }
}

/// Reads the name of a key. What is none may be the key itself, and is not repeated.
fn read_id(text: &str) -> Result<KeyId, OrderError> {
    KeyId::read(text).ok_or_else(|| {
        let shown = "not the name of a key, and not shown, as it may be the key itself";
        let remedy = "give the first 12 hexadecimal digits of the key's SHA-256, as GET \
                      /v0/operations/clients/{client}/keys lists them; a key that stood in an address may be in logs: \
                      replace it";
        OrderError::field("id", shown, remedy)
    })
}

fn lifetime(given: Given) -> Result<Lifetime, OrderError> {
    if matches!(&given, Given::Text(word) if word == NEVER) {
        return Ok(Lifetime::Unending);
    }
    let shown = given.to_string();
    length("expires_in", given).map(Lifetime::Of).map_err(|_| {
        let remedy = "give a time in quotes, as \"90d\" or \"12h\", or \"never\", or leave the field out";
        OrderError::field("expires_in", shown, remedy)
    })
}

/// Reads a time such as `12h`, or as `30d`: a day is 24 hours.
fn length(field: &'static str, given: Given) -> Result<Duration, OrderError> {
    let days = match &given {
        Given::Text(text) => text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()),
        _ => None,
    };
    match days {
        Some(days) => Ok(UsagePeriod::Day.length().saturating_mul(days)),
        None => time(field, given),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn order(verb: KeyVerb, json: &str) -> Result<KeyOrder, OrderError> {
        let body: Body = serde_json::from_str(json).map_err(|error| OrderError::Body(error.to_string()))?;
        let id = (verb != KeyVerb::Create).then_some("0123456789ab");
        KeyWanted::read(verb, body)?.order(verb, "ci", id)
    }

    #[test]
    fn without_any_field_a_key_lives_for_good_and_all_nodes_are_waited_for() {
        let made = order(KeyVerb::Create, "{}").unwrap();
        assert_eq!(
            (made.expires_in, made.wait, made.timeout),
            (Lifetime::Usual, Wait::All, super::super::USUAL_WAIT)
        );
        let rotated = order(KeyVerb::Rotate, "{}").unwrap();
        assert_eq!((rotated.overlap, rotated.id), (DAY, Some(KeyId("0123456789ab".to_owned()))));
    }

    #[test]
    fn every_field_is_read() {
        let json = r#"{"expires_in": "90d", "overlap": "90m", "reason": "why", "request_id": "r-1", "wait": "none",
            "timeout": "500ms"}"#;
        let expected = KeyOrder {
            verb: KeyVerb::Rotate,
            client: "ci".into(),
            id: Some(KeyId("0123456789ab".to_owned())),
            expires_in: Lifetime::Of(90 * DAY),
            overlap: Duration::from_secs(5_400),
            reason: "why".to_owned(),
            request_id: Some("r-1".to_owned()),
            wait: Wait::None,
            timeout: Duration::from_millis(500),
        };
        assert_eq!(order(KeyVerb::Rotate, json), Ok(expected));
        assert_eq!(
            order(KeyVerb::Create, r#"{"expires_in": "never"}"#).unwrap().expires_in,
            Lifetime::Unending
        );
        assert_eq!(order(KeyVerb::Rotate, r#"{"overlap": "0s"}"#).unwrap().overlap, Duration::ZERO);
    }

    #[test]
    fn a_refusal_names_the_field_the_value_and_the_remedy() {
        let lifetime = "give a time in quotes, as \"90d\" or \"12h\", or \"never\", or leave the field out";
        let range = "give a time from 1 second to 3650 days, as \"90d\" or \"12h\", or \"never\"";
        let overlap = "give a time of at most 30 days, as \"24h\"; \"0s\" ends the old key at once";
        let cases = [
            (r#"{"expires_in": "soon"}"#, format!("expires_in is \"soon\"; {lifetime}")),
            (r#"{"expires_in": "-1d"}"#, format!("expires_in is \"-1d\"; {lifetime}")),
            (r#"{"expires_in": 90}"#, format!("expires_in is 90; {lifetime}")),
            (r#"{"expires_in": null}"#, format!("expires_in is null; {lifetime}")),
            (r#"{"expires_in": "0s"}"#, format!("expires_in is \"0s\"; {range}")),
            (r#"{"expires_in": "3651d"}"#, format!("expires_in is \"87624h\"; {range}")),
            (r#"{"overlap": "31d"}"#, format!("overlap is \"744h\"; {overlap}")),
            (
                r#"{"dry_run": true}"#,
                "there is no field `dry_run` (its value is true); rotating a key takes overlap, expires_in, reason, \
                 request_id, wait, timeout"
                    .to_owned(),
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(order(KeyVerb::Rotate, json).unwrap_err().to_string(), expected, "{json}");
        }
        let refused = order(KeyVerb::Revoke, r#"{"expires_in": "1d"}"#).unwrap_err().to_string();
        assert!(refused.ends_with("revoking a key takes reason, request_id, wait, timeout"), "{refused}");
        for key in ["cpk_tjAv3-secret", "sk-of-web", "0123456789AB", "", "0123456789abc"] {
            let refused =
                KeyWanted::default().order(KeyVerb::Revoke, "ci", Some(key)).unwrap_err().to_string();
            assert!(refused.starts_with("id is not the name of a key, and not shown"), "{refused}");
            assert!(refused.contains("give the first 12 hexadecimal digits"), "{refused}");
            assert!(key.is_empty() || !refused.contains(key), "{refused}");
        }
        let long = "x".repeat(201);
        let refused = KeyWanted::default().order(KeyVerb::Create, &long, None).unwrap_err().to_string();
        assert!(refused.starts_with("client is \"xxx") && refused.len() < 300, "{refused}");
    }

    #[test]
    fn a_call_is_told_in_words() {
        let call = |verb, json| order(verb, json).unwrap().call();
        assert_eq!(call(KeyVerb::Create, "{}"), "`make a key for client ci`");
        assert_eq!(
            call(KeyVerb::Create, r#"{"expires_in": "90d", "reason": "a runner"}"#),
            "`make a key for client ci that expires in \"2160h\" (reason: \"a runner\")`"
        );
        assert_eq!(
            call(KeyVerb::Rotate, r#"{"overlap": "1h"}"#),
            "`make another key in the place of key 0123456789ab of client ci, which goes on for \"1h\"`"
        );
    }

    #[test]
    fn calls_that_ask_for_the_same_are_told_alike() {
        let call = |verb, json| order(verb, json).unwrap().call();
        let create = |json| call(KeyVerb::Create, json);
        assert_eq!(create(r#"{"expires_in": "24h"}"#), create(r#"{"expires_in": "1d", "wait": "none"}"#));
        assert_ne!(create("{}"), create(r#"{"expires_in": "1d"}"#));
        assert_ne!(call(KeyVerb::Rotate, "{}"), call(KeyVerb::Rotate, r#"{"overlap": "1h"}"#));
        assert_ne!(call(KeyVerb::Rotate, "{}"), call(KeyVerb::Revoke, "{}"));
    }
}
