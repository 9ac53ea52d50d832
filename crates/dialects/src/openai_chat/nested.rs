//! What is left of objects within objects, which [`crate::json::Fields`] keeps only at its own level.

use super::CHAT;
use crate::{
    form::Bag,
    json::{Fields, Object},
};
use serde_json::Value;

/// Keeps what was not taken of `outer`, and of the objects within it that are named in `inner`.
pub(super) fn rest<const N: usize>(outer: Fields, inner: [(&str, Option<Value>); N]) -> Bag {
    let Value::Object(mut map) = outer.into_value() else { return Bag::default() };
    for (name, value) in inner {
        let Some(value) = value else { continue };
        if value.as_object().is_none_or(|fields| !fields.is_empty()) {
            map.insert(name.to_owned(), value);
        }
    }
    Bag::new(CHAT, map)
}

/// Writes what a bag kept of the object `name`, into that object.
pub(super) fn write_inner(object: &mut Object<'_>, bag: &Bag, name: &str) {
    for (_, value) in bag.of(CHAT).filter(|(known, _)| *known == name) {
        for (field, value) in value.as_object().into_iter().flatten() {
            object.field(field, value);
        }
    }
}

/// Writes a bag's own fields, but for those of `names`, which are written elsewhere.
pub(super) fn write_outer(object: &mut Object<'_>, bag: &Bag, names: &[&str]) {
    object.bag(bag.of(CHAT).filter(|(name, _)| !names.contains(name)));
}
