//! Fields that one dialect has alone.

use cliproxy_domain::Dialect;
use serde_json::{Map, Value};

/// What was left of an object after everything known was read: it goes back out only in the dialect that it came in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bag(Option<Box<(Dialect, Map<String, Value>)>>);

impl Bag {
    /// Keeps `fields` of `dialect`.
    pub fn new(dialect: Dialect, fields: Map<String, Value>) -> Self {
        if fields.is_empty() { Self(None) } else { Self(Some(Box::new((dialect, fields)))) }
    }

    /// Lists the fields when they are of `dialect`.
    pub fn of(&self, dialect: Dialect) -> impl Iterator<Item = (&str, &Value)> {
        let own = self.0.as_deref().filter(|(whose, _)| *whose == dialect);
        own.into_iter().flat_map(|(_, fields)| fields.iter().map(|(name, value)| (name.as_str(), value)))
    }

    /// Lists the names of the fields when they are of another dialect than `dialect`: what is lost there.
    pub fn foreign_to(&self, dialect: Dialect) -> impl Iterator<Item = &str> {
        let foreign = self.0.as_deref().filter(|(whose, _)| *whose != dialect);
        foreign.into_iter().flat_map(|(_, fields)| fields.keys().map(String::as_str))
    }

    /// Looks a field up, whichever dialect it is of.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.as_deref().and_then(|(_, fields)| fields.get(name))
    }

    /// Tells whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
