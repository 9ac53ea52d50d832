//! Compares a tree with the table of keys: names and shapes, not values.

use super::{Known, State};
use crate::{field::Field, mask, suggest, tree::Value};

/// Reports every unknown key, every key that is not available yet, and every value of the wrong shape.
pub(crate) fn check(field: &Field<'_>, known: &[Known]) {
    check_value(field, "", known);
}

/// Checks the value at the table's path `at`.
fn check_value(field: &Field<'_>, at: &str, known: &[Known]) {
    match Shape::of(at, known) {
        Shape::Scalar => {
            if !matches!(field.node().value, Value::Scalar(_)) {
                field.refuse(format!("expected a single value, found {}", field.node().describe()));
            }
        }
        Shape::List => {
            if !matches!(field.node().value, Value::List(_)) && !field.node().is_null() {
                field.refuse(format!("expected a list, found {}", field.node().describe()));
            }
            for item in field.items() {
                check_value(&item, &format!("{at}[]"), known);
            }
        }
        Shape::Map => {
            if !matches!(field.node().value, Value::Map(_)) && !field.node().is_null() {
                let what = if field.path().is_empty() {
                    "the configuration".to_owned()
                } else {
                    format!("`{}`", field.path())
                };
                let message = format!("{what}: expected a map of keys, found {}", field.node().describe());
                field.findings().refuse(crate::error::Report::at(field.span(), message));
            }
            for (key, child) in field.entries() {
                check_key(&child, at, key, known);
            }
        }
    }
}

/// Checks one key of the map at `at`.
fn check_key(field: &Field<'_>, at: &str, key: &str, known: &[Known]) {
    let names: Vec<&'static str> = children(at, known);
    let name = if names.contains(&"*") { "*" } else { key };
    if !names.contains(&name) {
        return refuse_unknown(field, key, &names, known);
    }
    let path = join(at, name);
    if known.iter().any(|entry| entry.path == path && entry.state == State::Later) {
        let message =
            format!("`{}` is not available yet; remove it, since nothing would act on it", field.path());
        field.findings().refuse(crate::error::Report::at(field.key_span(), message));
        return;
    }
    check_value(field, &path, known);
}

/// Reports a key that the table does not have, with what was probably meant.
fn refuse_unknown(field: &Field<'_>, key: &str, names: &[&'static str], known: &[Known]) {
    let advice = match suggest::closest(key, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => match elsewhere(key, known).as_slice() {
            [] => format!("known here are {}", suggest::list(names.iter().copied())),
            paths => format!("there is {}", suggest::list(paths.iter().map(String::as_str))),
        },
    };
    let message = format!("unknown key `{}`; {advice}", mask::shown(field.path()));
    field.findings().refuse(crate::error::Report::at(field.key_span(), message));
}

/// Finds the same name in other sections, unless it stands in many.
fn elsewhere(key: &str, known: &[Known]) -> Vec<String> {
    const MOST: usize = 2;
    let ends_in_key = |entry: &&Known| entry.path.rsplit('.').next() == Some(key);
    let paths: Vec<String> =
        known.iter().filter(ends_in_key).map(|entry| entry.path.replace('*', "<name>")).collect();
    if paths.len() > MOST { Vec::new() } else { paths }
}

/// What the table expects at a path.
enum Shape {
    Scalar,
    List,
    Map,
}

impl Shape {
    fn of(at: &str, known: &[Known]) -> Self {
        if at.is_empty() {
            return Shape::Map;
        }
        let follows = |next: &str| {
            known.iter().any(|entry| entry.path.strip_prefix(at).is_some_and(|rest| rest.starts_with(next)))
        };
        if follows("[]") {
            Shape::List
        } else if follows(".") {
            Shape::Map
        } else {
            Shape::Scalar
        }
    }
}

/// Gives the names that may stand in the map at `at`, each once, in the order of the table.
fn children(at: &str, known: &[Known]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for entry in known {
        let rest = if at.is_empty() {
            Some(entry.path)
        } else {
            entry.path.strip_prefix(at).and_then(|rest| rest.strip_prefix('.'))
        };
        let Some(rest) = rest else { continue };
        let name = &rest[..rest.find(['.', '[']).unwrap_or(rest.len())];
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}
