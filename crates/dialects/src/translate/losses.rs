//! Every lossy point of the wire formats (§9 to §11) as a row: the smallest request that has it, and what each dialect
//! makes of it. `docs/reference/translation.md` says the same to people.

mod answers;
mod conversation;
mod effort;
mod format;
mod media;
mod page;
mod parameters;
mod tools;
mod vendors;

use super::{Notes, Target, encode_request};
use crate::{
    envelope::Sealer,
    form::{Refused, Request},
};
use cliproxy_domain::{
    Dialect, ModelTraits, Need, Needs, OnLoss, Profile, TranslationPolicy, UnsupportedTools,
};
use serde_json::{Value, json};

use Dialect::{Anthropic, Gemini, OpenAiChat as Chat, OpenAiResponses as Responses};

/// The dialects in the order of a row's columns.
const COLUMNS: [Dialect; 4] = [Chat, Responses, Anthropic, Gemini];

/// What becomes of a request.
enum Want {
    /// Nothing is lost, and the body has these values at these places; null for a place that must not be there.
    Has(Vec<(&'static str, Value)>),
    /// The header says this, and the body has these values. Where nothing may be lost it is refused by the name of
    /// the first field.
    Warns(&'static str, Vec<(&'static str, Value)>),
    /// As [`Want::Warns`], for what the configuration allows to be left out: it is never refused.
    Tells(&'static str, Vec<(&'static str, Value)>),
    /// It is refused by this field.
    Refused(&'static str, Option<Need>),
}

fn has(place: &'static str, value: impl Into<Value>) -> Want {
    Want::Has(vec![(place, value.into())])
}

/// It goes as it came.
fn own() -> Want {
    Want::Has(Vec::new())
}

fn without(place: &'static str) -> Want {
    Want::Has(vec![(place, Value::Null)])
}

fn warns(header: &'static str) -> Want {
    Want::Warns(header, Vec::new())
}

fn tells(header: &'static str) -> Want {
    Want::Tells(header, Vec::new())
}

fn lacks(need: Need, field: &'static str) -> Want {
    Want::Refused(field, Some(need))
}

fn refused(field: &'static str) -> Want {
    Want::Refused(field, None)
}

impl Want {
    fn and(mut self, place: &'static str, value: impl Into<Value>) -> Self {
        match &mut self {
            Want::Has(values) | Want::Warns(_, values) | Want::Tells(_, values) => {
                values.push((place, value.into()));
            }
            Want::Refused(..) => panic!("nothing is written"),
        }
        self
    }
}

/// A client's request and the model that it goes to.
struct Ask {
    from: Dialect,
    body: Value,
    traits: ModelTraits,
    profile: Profile,
    unsupported_tools: UnsupportedTools,
}

/// The smallest request of a dialect, with `fields`.
fn ask(from: Dialect, fields: Value) -> Ask {
    let mut body = match from {
        Chat => json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
        Responses => json!({"model": "m", "input": "hi"}),
        Anthropic => {
            json!({"model": "m", "max_tokens": 4096, "messages": [{"role": "user", "content": "hi"}]})
        }
        Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
    };
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    body.as_object_mut().unwrap().extend(fields);
    Ask {
        from,
        body,
        traits: ModelTraits::default(),
        profile: Profile::default(),
        unsupported_tools: UnsupportedTools::Reject,
    }
}

impl Ask {
    fn of(mut self, traits: ModelTraits) -> Self {
        self.traits = traits;
        self
    }

    fn by(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Goes where tools of another vendor are left out.
    fn dropping_tools(mut self) -> Self {
        self.unsupported_tools = UnsupportedTools::Drop;
        self
    }

    /// Holds against what is wanted in each dialect, in the order of [`COLUMNS`].
    #[track_caller]
    fn becomes(self, wants: [Want; 4]) {
        for (to, want) in COLUMNS.into_iter().zip(wants) {
            self.in_one(to, want);
        }
    }

    /// Holds against what is wanted in one dialect.
    #[track_caller]
    fn to(self, to: Dialect, want: Want) -> Self {
        self.in_one(to, want);
        self
    }

    #[track_caller]
    fn in_one(&self, to: Dialect, want: Want) {
        let request = self.read();
        let written = self.write(&request, to, OnLoss::Warn);
        let strict = self.write(&request, to, OnLoss::Refuse).map(|_| ()).map_err(|refused| refused.field);
        let route = format!("{:?} to {to:?}: {}", self.from, self.body);
        let (header, values, may_refuse) = match want {
            Want::Has(values) => (None, values, false),
            Want::Warns(header, values) => (Some(header), values, true),
            Want::Tells(header, values) => (Some(header), values, false),
            Want::Refused(field, need) => {
                let refused = written.expect_err(&route);
                assert_eq!((refused.field.as_ref(), refused.need), (field, need), "{route}");
                assert!(refused.message.contains(field), "{route}: {refused}");
                if let Some(need) = need.filter(|need| to.lacks().has(*need)) {
                    assert_eq!(lacking(&request, to, &self.traits), Some(need), "{route}");
                }
                return;
            }
        };
        let (body, notes) = written.unwrap_or_else(|refused| panic!("{route}: {refused}"));
        let told = notes.losses.header();
        assert_eq!(told.as_deref(), header, "{route}: {body}");
        for (place, value) in values {
            let found = body.pointer(place).unwrap_or(&Value::Null);
            assert_eq!(*found, value, "{place}; {route}: {body}");
        }
        assert_eq!(lacking(&request, to, &self.traits), None, "{route}");
        match header.filter(|_| may_refuse) {
            None => assert_eq!(strict, Ok(()), "{route}"),
            Some(header) => {
                let first = header.split('=').next().unwrap_or_default();
                assert_eq!(strict.unwrap_err(), first, "{route}");
            }
        }
    }

    fn read(&self) -> Request {
        let body = self.body.to_string();
        super::decode_request(self.from, body.as_bytes(), "m", false).unwrap()
    }

    fn write(&self, request: &Request, to: Dialect, on_loss: OnLoss) -> Result<(Value, Notes), Refused> {
        let policy = TranslationPolicy {
            on_loss,
            unsupported_tools: self.unsupported_tools,
            ..TranslationPolicy::default()
        };
        let target = Target {
            dialect: to,
            model: "up",
            traits: &self.traits,
            profile: &self.profile,
            policy,
            sealer: &Sealer::new("provider", b"secret"),
            credential: "key",
        };
        let (body, notes) = encode_request(request, &target)?;
        Ok((serde_json::from_slice(&body).unwrap(), notes))
    }
}

/// Gives the first need because of which routing leaves the target out, as the engine decides it.
fn lacking(request: &Request, to: Dialect, traits: &ModelTraits) -> Option<Need> {
    let mut lacks = traits.lacks;
    if to != request.from {
        lacks = lacks.or(to.lacks()).or(Needs::of(&[Need::MediaOutput]));
        if to == Anthropic && !traits.lacks.has(Need::Tools) {
            lacks.remove(Need::StructuredOutput);
        }
    }
    request.needs(to).and(lacks).iter().next()
}
