//! `--set a.b.c=value`: keys from the command line, over those of the file.

use crate::{
    error::Report,
    mask,
    source::{Source, Span},
    tree::{self, Key, Node, Value},
};
use std::sync::Arc;

/// Puts the value of one `--set` argument into the tree.
///
/// Keys are parted by dots; one with a dot in it stands in double quotes; a number picks an item of a list that
/// is there. The value is YAML, in one line as a rule: `true`, `10m`, `[a, b]`, `{x: 1}`.
///
/// # Errors
/// A report that names the argument when it has no `=`, its path leads nowhere, or its value is not YAML.
pub fn apply(root: &mut Node, argument: &str) -> Result<(), Report> {
    let equals = end_of_path(argument);
    let path = &argument[..equals.unwrap_or(argument.len())];
    let source = Source::new(format!("--set {}", mask::shown(path)), argument);
    let place = |start: usize, end: usize| Span::new(&source, start..end);
    let Some(equals) = equals else {
        return Err(Report::at(
            &place(0, argument.len()),
            "a `=` is missing; write `--set server.listen=0.0.0.0:8317`",
        ));
    };
    let steps = split_path(path).map_err(|start| {
        Report::at(
            &place(start, equals),
            "this part of the path is empty or its quotes are not closed; write `a.b.c=value`",
        )
    })?;
    let last = steps.last().map_or("", |step| step.text.as_str());
    if mask::names_a_secret(last) {
        source.set_secrets(std::iter::once(equals + 1..argument.len()).collect());
    }
    let value = tree::parse_value(&source, equals + 1)?;
    insert(root, &steps, value, &source)
}

/// One key of a path and where it stands in the argument.
struct Step {
    text: String,
    start: usize,
    end: usize,
}

/// Finds the `=` after the path; one inside quotes belongs to a key.
fn end_of_path(argument: &str) -> Option<usize> {
    let mut quoted = false;
    argument.char_indices().find_map(|(index, c)| {
        quoted ^= c == '"';
        (c == '=' && !quoted).then_some(index)
    })
}

/// Splits the path at its dots; gives the start of the part that is wrong.
fn split_path(path: &str) -> Result<Vec<Step>, usize> {
    const DEEPEST: usize = 16;
    let mut steps = Vec::new();
    let mut start = 0;
    loop {
        let rest = &path[start..];
        let (text, length) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let close = quoted.find('"').ok_or(start)?;
                (&quoted[..close], close + 2)
            }
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                (&rest[..end], end)
            }
        };
        if text.is_empty() || steps.len() == DEEPEST {
            return Err(start);
        }
        steps.push(Step { text: text.to_owned(), start, end: start + length });
        match path[start + length..].chars().next() {
            None => return Ok(steps),
            Some('.') => start += length + 1,
            Some(_) => return Err(start),
        }
    }
}

/// Walks down and sets the value, making maps on the way.
fn insert(node: &mut Node, steps: &[Step], value: Node, source: &Arc<Source>) -> Result<(), Report> {
    let Some((step, rest)) = steps.split_first() else {
        *node = value;
        return Ok(());
    };
    let span = Span::new(source, step.start..step.end);
    if node.is_null() {
        node.value = Value::Map(Vec::new());
    }
    let what = node.describe();
    match &mut node.value {
        Value::Map(entries) => {
            let index = match entries.iter().position(|(key, _)| key.text == step.text) {
                Some(index) => index,
                None => {
                    let key = Key { text: step.text.clone(), span: span.clone() };
                    entries.push((key, Node { value: Value::Map(Vec::new()), span: span.clone() }));
                    entries.len() - 1
                }
            };
            let (key, child) = &mut entries[index];
            if rest.is_empty() {
                key.span = span;
            }
            insert(child, rest, value, source)
        }
        Value::List(items) => {
            let count = items.len();
            match step.text.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                Some(item) => insert(item, rest, value, source),
                None => Err(Report::at(
                    &span,
                    format!("there is a list of {count} here; write the number of an item, from 0"),
                )),
            }
        }
        Value::Scalar(_) => {
            Err(Report::at(&span, format!("there is {what} here, which has no keys; set the key above it")))
        }
    }
}
