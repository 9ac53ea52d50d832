//! `$ref`: where it leads, and whether it comes back to itself.

use serde_json::Value;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// A schema with the names that its references may use.
pub(super) struct Document<'s> {
    root: &'s Value,
    id: &'s str,
    /// Where the definitions with an `$anchor` stand.
    anchors: BTreeMap<&'s str, String>,
}

impl<'s> Document<'s> {
    pub(super) fn new(root: &'s Value) -> Self {
        let mut anchors = BTreeMap::new();
        for list in ["$defs", "definitions"] {
            let definitions = root.get(list).and_then(Value::as_object).into_iter().flatten();
            for (name, definition) in definitions {
                if let Some(anchor) = definition.get("$anchor").and_then(Value::as_str) {
                    let pointer = || format!("/{list}/{}", name.replace('~', "~0").replace('/', "~1"));
                    anchors.entry(anchor).or_insert_with(pointer);
                }
            }
        }
        Self { root, id: root.get("$id").and_then(Value::as_str).unwrap_or(""), anchors }
    }

    /// Gives the JSON pointer that a reference means; none when it leads out of the document or nowhere.
    pub(super) fn pointer<'p>(&'p self, reference: &'p str) -> Option<Cow<'p, str>> {
        let fragment = reference.strip_prefix(self.id).unwrap_or(reference).strip_prefix('#')?;
        let found = if fragment.is_empty() || fragment.starts_with('/') {
            percent_decoded(fragment)?
        } else {
            Cow::Borrowed(self.anchors.get(fragment)?.as_str())
        };
        self.root.pointer(&found).is_some().then_some(found)
    }

    /// Gives what stands at a pointer.
    pub(super) fn at(&self, pointer: &str) -> Option<&'s Value> {
        self.root.pointer(pointer)
    }
}

fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let bytes = crate::data_url::percent_decoded(text)?;
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Why references cannot be followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// One leads nowhere.
    Nowhere,
    /// One comes back to itself through required properties only: no value ends it.
    Endless,
    /// The schema is nested too deeply, or too many of its references lead into each other.
    TooLarge,
}

/// Follows all references from the root. A reference may come back to itself only through a property that is not
/// required (§5.3 of the wire formats); lists and alternatives do not count as a way out.
pub(super) fn check(document: &Document<'_>, mut steps: usize) -> Result<(), Fault> {
    let mut required: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut open = vec![String::new()];
    while let Some(from) = open.pop() {
        if required.contains_key(&from) {
            continue;
        }
        let schema = document.at(&from).ok_or(Fault::Nowhere)?;
        let mut found = Found { document, always: BTreeSet::new(), all: Vec::new() };
        found.walk(schema, true, super::write::MAX_DEPTH, &mut steps)?;
        open.append(&mut found.all);
        required.insert(from, found.always);
    }
    if is_endless(&required) { Err(Fault::Endless) } else { Ok(()) }
}

/// Tells whether the required references go in a circle: takes away what nothing more leads to until nothing
/// changes.
fn is_endless(required: &BTreeMap<String, BTreeSet<String>>) -> bool {
    let mut led_to: BTreeMap<&str, usize> = required.keys().map(|from| (from.as_str(), 0)).collect();
    for to in required.values().flatten() {
        if let Some(count) = led_to.get_mut(to.as_str()) {
            *count += 1;
        }
    }
    let mut free: Vec<&str> =
        led_to.iter().filter(|(_, count)| **count == 0).map(|(from, _)| *from).collect();
    let mut taken = 0;
    while let Some(from) = free.pop() {
        taken += 1;
        for to in required.get(from).into_iter().flatten() {
            if let Some(count) = led_to.get_mut(to.as_str()) {
                *count -= 1;
                if *count == 0 {
                    free.push(to);
                }
            }
        }
    }
    taken < required.len()
}

/// The references of one schema.
struct Found<'s> {
    document: &'s Document<'s>,
    /// Those in required places.
    always: BTreeSet<String>,
    all: Vec<String>,
}

impl Found<'_> {
    fn walk(&mut self, schema: &Value, always: bool, depth: usize, steps: &mut usize) -> Result<(), Fault> {
        let Value::Object(map) = schema else { return Ok(()) };
        let depth = depth.checked_sub(1).ok_or(Fault::TooLarge)?;
        *steps = steps.checked_sub(1).ok_or(Fault::TooLarge)?;
        for (key, value) in map {
            match (key.as_str(), value) {
                ("$ref", Value::String(reference)) => self.reference(reference, always)?,
                ("$ref", _) => return Err(Fault::Nowhere),
                ("items" | "prefixItems" | "anyOf" | "oneOf" | "allOf", Value::Array(list)) => {
                    for schema in list {
                        self.walk(schema, always, depth, steps)?;
                    }
                }
                ("items", schema) => self.walk(schema, always, depth, steps)?,
                ("additionalProperties", schema) => self.walk(schema, false, depth, steps)?,
                ("properties", Value::Object(properties)) => {
                    let required = names(map.get("required"));
                    for (name, schema) in properties {
                        self.walk(schema, always && required.contains(name.as_str()), depth, steps)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn reference(&mut self, reference: &str, always: bool) -> Result<(), Fault> {
        let pointer = self.document.pointer(reference).ok_or(Fault::Nowhere)?.into_owned();
        if always {
            self.always.insert(pointer.clone());
        }
        self.all.push(pointer);
        Ok(())
    }
}

fn names(required: Option<&Value>) -> BTreeSet<&str> {
    let list = required.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).collect()
}
