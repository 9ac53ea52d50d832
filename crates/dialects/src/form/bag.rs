//! Fields that one dialect has alone.

use cliproxy_domain::Dialect;
use serde_json::{Map, Value};

/// What was left of an object after everything known was read: it goes back out only in the dialect that it came in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bag(Option<Box<Kept>>);

#[derive(Clone, Debug, PartialEq)]
struct Kept {
    dialect: Dialect,
    fields: Map<String, Value>,
    spelling: Map<String, Value>,
}

impl Bag {
    /// Keeps `fields` of `dialect`.
    pub fn new(dialect: Dialect, fields: Map<String, Value>) -> Self {
        Self::with_spelling(dialect, fields, Map::new())
    }

    /// Keeps `fields` of `dialect`, and beside them how it spelled what the form says in its own words: `spelling`
    /// is no loss in another dialect, and [`Bag::of`] does not list it.
    pub fn with_spelling(dialect: Dialect, fields: Map<String, Value>, spelling: Map<String, Value>) -> Self {
        let empty = fields.is_empty() && spelling.is_empty();
        Self((!empty).then(|| Box::new(Kept { dialect, fields, spelling })))
    }

    /// Lists the fields when they are of `dialect`.
    pub fn of(&self, dialect: Dialect) -> impl Iterator<Item = (&str, &Value)> {
        let own = self.0.as_deref().filter(|kept| kept.dialect == dialect);
        own.into_iter().flat_map(|kept| kept.fields.iter().map(|(name, value)| (name.as_str(), value)))
    }

    /// Lists the names of the fields when they are of another dialect than `dialect`: what is lost there.
    pub fn foreign_to(&self, dialect: Dialect) -> impl Iterator<Item = &str> {
        let foreign = self.0.as_deref().filter(|kept| kept.dialect != dialect);
        foreign.into_iter().flat_map(|kept| kept.fields.keys().map(String::as_str))
    }

    /// Looks up how `dialect` spelled `name`, if the bag is of that dialect.
    pub fn spelling(&self, dialect: Dialect, name: &str) -> Option<&Value> {
        self.0.as_deref().filter(|kept| kept.dialect == dialect).and_then(|kept| kept.spelling.get(name))
    }

    /// Looks a field up, whichever dialect it is of.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.as_deref().and_then(|kept| kept.fields.get(name))
    }

    /// Tells whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_spelling_comes_back_to_its_own_dialect_and_is_no_loss_elsewhere() {
        let fields = Map::from_iter([("field".to_owned(), json!(1))]);
        let spelling = Map::from_iter([("spelled".to_owned(), json!(2))]);
        let bag = Bag::with_spelling(Dialect::Gemini, fields, spelling);
        assert_eq!(bag.spelling(Dialect::Gemini, "spelled"), Some(&json!(2)));
        assert_eq!(bag.spelling(Dialect::Anthropic, "spelled"), None);
        assert_eq!(bag.of(Dialect::Gemini).map(|(name, _)| name).collect::<Vec<_>>(), ["field"]);
        assert_eq!(bag.foreign_to(Dialect::Anthropic).collect::<Vec<_>>(), ["field"]);
    }
}
