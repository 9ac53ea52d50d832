//! The body of a call as it came: JSON, read strictly.

use super::{OrderError, Verb, Wait, Wanted, cut};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{collections::BTreeMap, fmt, time::Duration};

/// The fields of a JSON object. Reading refuses one that is there twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body(BTreeMap<String, Given>);

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A text.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
    /// Something else, which no field takes, in words for people.
    Other(String),
}

impl Wanted {
    /// Reads what a caller wants.
    ///
    /// # Errors
    /// [`OrderError`] names the field, what it holds, and what to do.
    pub fn read(verb: Verb, body: Body) -> Result<Self, OrderError> {
        let mut wanted = Self::default();
        for (field, given) in body.into_fields() {
            let Some(field) = verb.fields().iter().copied().find(|known| *known == field) else {
                return Err(unknown(&field, &given, verb.as_str(), verb.fields()));
            };
            match field {
                "duration" => wanted.duration = Some(time(field, given)?),
                "reason" => wanted.reason = Some(text(field, given)?),
                "credential" => wanted.credential = Some(text(field, given)?),
                "model" => wanted.model = Some(text(field, given)?),
                "request_id" => wanted.request_id = Some(text(field, given)?),
                "timeout" => wanted.timeout = Some(time(field, given)?),
                "wait" => wanted.wait = Wait::read(&text(field, given)?)?,
                _ => wanted.dry_run = flag(field, given)?,
            }
        }
        Ok(wanted)
    }
}

impl Wait {
    /// Reads the word; in capitals as well, as the words of gRPC often are.
    ///
    /// # Errors
    /// Names the words that there are.
    pub fn read(word: &str) -> Result<Self, OrderError> {
        let known = Wait::WORDS.iter().find(|(_, known)| known.eq_ignore_ascii_case(word));
        known.map(|(wait, _)| *wait).ok_or_else(|| {
            OrderError::field(
                "wait",
                format_args!("{:?}", cut(word)),
                "give none, majority or all, or leave it out",
            )
        })
    }
}

/// Says that there is no such field.
pub(super) fn unknown(
    field: &str,
    given: &Given,
    call: &'static str,
    known: &'static [&'static str],
) -> OrderError {
    OrderError::UnknownField { field: cut(field), value: given.to_string(), call, known }
}

impl Body {
    /// Gives the fields, sorted by name.
    pub(super) fn into_fields(self) -> impl Iterator<Item = (String, Given)> {
        self.0.into_iter()
    }
}

pub(super) fn text(field: &'static str, given: Given) -> Result<String, OrderError> {
    match given {
        Given::Text(text) => Ok(text),
        other => Err(OrderError::field(field, other, "give a text in quotes or leave the field out")),
    }
}

fn flag(field: &'static str, given: Given) -> Result<bool, OrderError> {
    match given {
        Given::Flag(flag) => Ok(flag),
        other => Err(OrderError::field(field, other, "give true or false or leave the field out")),
    }
}

/// Reads a time such as `10m`. That it is not too short or too long is seen when it is held against the rest.
pub(super) fn time(field: &'static str, given: Given) -> Result<Duration, OrderError> {
    let parsed = match &given {
        Given::Text(text) => text.parse::<jiff::SignedDuration>().ok(),
        _ => None,
    };
    parsed.and_then(|signed| Duration::try_from(signed).ok()).ok_or_else(|| {
        OrderError::field(
            field,
            given,
            "give a time above zero in quotes, as \"10m\", \"1h30m\" or \"90s\", or leave the field out",
        )
    })
}

/// Shown as it stands in the body, cut to what people read.
impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Given::Text(text) => write!(f, "{:?}", cut(text)),
            Given::Flag(flag) => flag.fmt(f),
            Given::Other(words) => f.write_str(words),
        }
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Body;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((field, given)) = map.next_entry::<String, Given>()? {
                    let shown = cut(&field);
                    if fields.insert(field, given).is_some() {
                        return Err(A::Error::custom(format_args!("the field `{shown}` is there twice")));
                    }
                }
                Ok(Body(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

/// The one key of the map that serde_json shows a number as where numbers keep all their digits.
const NUMBER: &str = "$serde_json::private::Number";

impl<'de> Visitor<'de> for AnyValue {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Given, E> {
        Ok(Given::Flag(flag))
    }

    fn visit_str<E>(self, text: &str) -> Result<Given, E> {
        Ok(Given::Text(text.to_owned()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Given, E> {
        Ok(Given::Other(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Given, E> {
        Ok(Given::Other(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Given, E> {
        Ok(Given::Other(number.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Given, E> {
        Ok(Given::Other("null".to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Given, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Given::Other("a list".to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
        let mut words = "an object".to_owned();
        while let Some(key) = map.next_key::<String>()? {
            if key == NUMBER {
                words = cut(&map.next_value::<String>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Given::Other(words))
    }
}
