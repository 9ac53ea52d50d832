//! Writing a schema in the subset that a provider takes.

mod subset;

pub(super) use subset::{Flavour, told};

use super::{
    merge::{merge, settle},
    references::{self, Document, Fault},
};
use crate::form::Refused;
use serde_json::{Map, Value, json};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};
use subset::Keyword;

/// Schemas within schemas at most. Bodies nested more deeply than 128 levels are not read at all.
pub(super) const MAX_DEPTH: usize = 100;
/// How much larger than its source a schema may grow as references are put in, and what a small one may have.
const GROWTH: usize = 32;
const GROWTH_FLOOR: usize = 2_000;

/// Writes one schema.
pub(super) struct Writer<'s> {
    document: &'s Document<'s>,
    flavour: Flavour,
    path: &'s str,
    /// What may still be written, in units of [`weight`].
    room: usize,
    /// The names of definitions that were referred to, by their pointer in the source.
    names: BTreeMap<String, String>,
    taken: BTreeSet<String>,
    /// Definitions that are not written yet: pointer and name.
    open: Vec<(String, String)>,
}

impl<'s> Writer<'s> {
    /// Writes `root` and the definitions that it refers to, which all move to `$defs`.
    pub(super) fn write(root: &'s Value, flavour: Flavour, path: &'s str) -> Result<Value, Refused> {
        let room = weight(root).saturating_mul(GROWTH).saturating_add(GROWTH_FLOOR);
        let (names, taken, open) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        let document = &Document::new(root);
        let mut writer = Writer { document, flavour, path, room, names, taken, open };
        references::check(document, room).map_err(|fault| writer.refused(fault))?;
        let Value::Object(map) = root else { return writer.schema(root, MAX_DEPTH) };
        // A root that is a reference is put in: its definitions have to stand beside it.
        let mut written = writer.object(map, map.contains_key("$ref"), MAX_DEPTH)?;
        let mut definitions = Map::new();
        while let Some((pointer, name)) = writer.open.pop() {
            let source = document.at(&pointer).ok_or_else(|| writer.refused(Fault::Nowhere))?;
            let definition = writer.schema(source, MAX_DEPTH)?;
            definitions.insert(name, definition);
        }
        if !definitions.is_empty() {
            written.insert("$defs".to_owned(), Value::Object(definitions));
        }
        Ok(Value::Object(written))
    }

    fn schema(&mut self, schema: &Value, depth: usize) -> Result<Value, Refused> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.refused(Fault::TooLarge))?;
        self.take(1)?;
        match schema {
            Value::Object(map) => self.object(map, false, depth).map(Value::Object),
            Value::Bool(true) => Ok(json!({})),
            Value::Bool(false) => Ok(json!({"description": "no value is valid here"})),
            _ => Err(Refused::new(
                self.path.to_owned(),
                format!("`{}` is not a JSON schema: every schema in it must be an object", self.path),
            )),
        }
    }

    /// Writes a schema; `inline` says that its own reference is to be put in.
    fn object(
        &mut self,
        source: &Map<String, Value>,
        inline: bool,
        depth: usize,
    ) -> Result<Map<String, Value>, Refused> {
        let (mut lost, mut out) = (Vec::new(), Map::new());
        let source = self.joined(source, inline, depth, &mut lost)?;
        for (key, value) in source.iter() {
            self.keyword(key, value, &source, depth, &mut out, &mut lost)?;
        }
        self.flavour.finish(&mut out, &source);
        subset::describe(self.flavour, &mut out, &lost);
        if let Some(reference) = source.get("$ref").and_then(Value::as_str) {
            let reference = json!({"$ref": self.reference(reference)?});
            // Beside a reference nothing may stand, but an only alternative may have neighbours.
            match reference {
                Value::Object(alone) if out.is_empty() => out = alone,
                one_of_one => _ = out.insert("anyOf".to_owned(), json!([one_of_one])),
            }
        }
        Ok(out)
    }

    fn keyword(
        &mut self,
        key: &str,
        value: &Value,
        source: &Map<String, Value>,
        depth: usize,
        out: &mut Map<String, Value>,
        lost: &mut Vec<String>,
    ) -> Result<(), Refused> {
        match (self.flavour.keyword(key, value, source), value) {
            (Keyword::Silent, _) => {}
            (Keyword::As(key, value), _) => {
                self.take(weight(&value))?;
                out.insert(key.to_owned(), value);
            }
            (Keyword::Schema(key), schema) => {
                let written = self.schema(schema, depth)?;
                out.insert(key.to_owned(), written);
            }
            (Keyword::Schemas(key), Value::Object(map)) => {
                let mut written = Map::new();
                for (name, schema) in map {
                    self.take(name.len() / 16)?;
                    written.insert(name.clone(), self.schema(schema, depth)?);
                }
                out.insert(key.to_owned(), Value::Object(written));
            }
            (Keyword::Schemas(key), Value::Array(list)) if !out.contains_key(key) => {
                let written: Result<Vec<Value>, Refused> =
                    list.iter().map(|schema| self.schema(schema, depth)).collect();
                out.insert(key.to_owned(), Value::Array(written?));
            }
            (Keyword::Lost | Keyword::Schemas(_), value) => {
                self.take(weight(value))?;
                lost.push(told(key, value));
            }
        }
        Ok(())
    }

    /// Gives the schema without `allOf`, and without a reference where that cannot stand beside the rest.
    fn joined<'m>(
        &mut self,
        source: &'m Map<String, Value>,
        inline: bool,
        depth: usize,
        lost: &mut Vec<String>,
    ) -> Result<Cow<'m, Map<String, Value>>, Refused> {
        let mut source = Cow::Borrowed(source);
        if let Some(reference) = lone_reference(&source) {
            self.take(weight_of(&source))?;
            let map = source.to_mut();
            map.remove("allOf");
            map.insert("$ref".to_owned(), reference);
        }
        let crowded =
            source.contains_key("$ref") && (source.contains_key("anyOf") || source.contains_key("oneOf"));
        if inline || crowded || source.contains_key("allOf") {
            let mut all = Map::new();
            self.gather(&mut all, &source, depth, lost)?;
            settle(&mut all);
            source = Cow::Owned(all);
        }
        Ok(source)
    }

    /// Adds to `into` all that `source` asks for: its own keywords, those of its reference and those of its `allOf`.
    fn gather(
        &mut self,
        into: &mut Map<String, Value>,
        source: &Map<String, Value>,
        depth: usize,
        lost: &mut Vec<String>,
    ) -> Result<(), Refused> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.refused(Fault::TooLarge))?;
        self.take(weight_of(source))?;
        merge(into, source.iter().filter(|(key, _)| *key != "$ref" && *key != "allOf"), lost);
        if let Some(reference) = source.get("$ref").and_then(Value::as_str) {
            let target = self.document.pointer(reference).and_then(|pointer| self.document.at(&pointer));
            let target = target.ok_or_else(|| self.refused(Fault::Nowhere))?;
            if let Value::Object(target) = target {
                self.gather(into, target, depth, lost)?;
            }
        }
        for part in source.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            if let Value::Object(part) = part {
                self.gather(into, part, depth, lost)?;
            }
        }
        Ok(())
    }

    /// Gives the reference as it is written.
    fn reference(&mut self, reference: &str) -> Result<String, Refused> {
        let document = self.document;
        let pointer = document.pointer(reference).ok_or_else(|| self.refused(Fault::Nowhere))?;
        if pointer.is_empty() {
            return Ok("#".to_owned());
        }
        if let Some(name) = self.names.get(pointer.as_ref()) {
            return Ok(format!("#/$defs/{name}"));
        }
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' };
        let mut name: String = last.chars().map(plain).collect();
        while self.taken.contains(&name) {
            name.push_str(&format!("_{}", self.taken.len()));
        }
        self.take(1 + name.len() / 16)?;
        self.taken.insert(name.clone());
        self.open.push((pointer.to_string(), name.clone()));
        let written = format!("#/$defs/{name}");
        self.names.insert(pointer.into_owned(), name);
        Ok(written)
    }

    fn take(&mut self, weight: usize) -> Result<(), Refused> {
        self.room = self.room.checked_sub(weight).ok_or_else(|| self.refused(Fault::TooLarge))?;
        Ok(())
    }

    fn refused(&self, fault: Fault) -> Refused {
        let path = self.path;
        let message = match fault {
            Fault::Nowhere => format!("a `$ref` in `{path}` leads nowhere: define it under `$defs`"),
            Fault::Endless => format!(
                "a `$ref` in `{path}` leads back to itself through required properties, which this provider does not take: make one of them optional"
            ),
            Fault::TooLarge => format!(
                "`{path}` is nested too deeply, or its references lead into each other too often: make the schema simpler"
            ),
        };
        Refused::new(path.to_owned(), message)
    }
}

/// Gives the reference of an `allOf` of nothing else, which some libraries write to put a description beside it.
fn lone_reference(source: &Map<String, Value>) -> Option<Value> {
    let [Value::Object(only)] = source.get("allOf")?.as_array()?.as_slice() else { return None };
    let reference = only.get("$ref").filter(|_| only.len() == 1 && !source.contains_key("$ref"))?;
    Some(reference.clone())
}

/// Estimates what a value costs: its nodes, and its texts by the line.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => 1 + text.len() / 16,
        Value::Array(list) => 1 + list.iter().map(weight).sum::<usize>(),
        Value::Object(map) => weight_of(map),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

fn weight_of(map: &Map<String, Value>) -> usize {
    1 + map.iter().map(|(key, value)| key.len() / 16 + weight(value)).sum::<usize>()
}
