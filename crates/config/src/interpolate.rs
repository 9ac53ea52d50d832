//! `${NAME}`, `${NAME:-default}` and `${NAME:?message}` in values; `$${` stands for a plain `${`.
//!
//! Keys are never filled in, and what a variable holds is not looked at again. A `$` without a brace is just a
//! dollar: provider keys and passwords have them.

use crate::environment::Environment;

/// The longest value after filling in, in bytes.
const MAX_FILLED: usize = 64 * 1024;

/// Why a value could not be filled in. Shows names and what the file says, never what a variable holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterpolationError {
    /// A variable without a default is not set.
    #[error("the variable `{0}` is not set; export it, or write `${{{0}:-default}}`")]
    Unset(String),
    /// A variable that the file demands is unset or empty.
    #[error("the variable `{name}` is required: {message}")]
    Required {
        /// The variable.
        name: String,
        /// What the file says about it.
        message: String,
    },
    /// A `${` without its `}`.
    #[error("a `${{` is not closed; close it with `}}`, or write `$${{` for a plain `${{`")]
    Unclosed,
    /// Something else between the braces.
    #[error("`{0}` is not a variable; write `${{NAME}}`, `${{NAME:-default}}` or `${{NAME:?message}}`")]
    Malformed(String),
    /// The filled-in value is too long.
    #[error("the value is longer than {MAX_FILLED} bytes once its variables are filled in")]
    TooLong,
}

/// Tells whether `text` has anything to fill in.
pub fn is_needed(text: &str) -> bool {
    text.contains("${")
}

/// Fills the variables of `text` in.
///
/// # Errors
/// The first reference that is malformed or has no value.
pub fn interpolate(text: &str, environment: &Environment) -> Result<String, InterpolationError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find("${") {
        if rest[..dollar].ends_with('$') {
            out.push_str(&rest[..dollar]);
            out.push('{');
            rest = &rest[dollar + 2..];
            continue;
        }
        out.push_str(&rest[..dollar]);
        let body = &rest[dollar + 2..];
        let close = body.find('}').ok_or(InterpolationError::Unclosed)?;
        out.push_str(&value_of(&body[..close], environment)?);
        rest = &body[close + 1..];
        if out.len() > MAX_FILLED {
            return Err(InterpolationError::TooLong);
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Gives the value of what stands between the braces.
fn value_of(body: &str, environment: &Environment) -> Result<String, InterpolationError> {
    let name_end = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
    let (name, operator) = body.split_at(name_end);
    let malformed = || InterpolationError::Malformed(crate::mask::shown(&format!("${{{body}}}")));
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || operator.contains("${") {
        return Err(malformed());
    }
    let value = environment.get(name);
    if operator.is_empty() {
        return value.ok_or_else(|| InterpolationError::Unset(name.to_owned()));
    }
    let non_empty = value.filter(|value| !value.is_empty());
    if let Some(default) = operator.strip_prefix(":-") {
        return Ok(non_empty.unwrap_or_else(|| default.to_owned()));
    }
    let message = operator.strip_prefix(":?").ok_or_else(malformed)?;
    let message = if message.is_empty() { "it is unset or empty" } else { message };
    non_empty.ok_or_else(|| InterpolationError::Required {
        name: name.to_owned(),
        message: crate::mask::shown(message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment::fixed([("A", "one"), ("EMPTY", ""), ("REF", "${A}")])
    }

    #[test]
    fn references_are_filled_in_and_the_rest_stays() {
        let cases = [
            ("${A}", "one"),
            ("x-${A}-${A}", "x-one-one"),
            ("${NONE:-two}", "two"),
            ("${EMPTY:-two}", "two"),
            ("${EMPTY}", ""),
            ("${A:?why}", "one"),
            ("$A $$ 5$", "$A $$ 5$"),
            ("$${A}", "${A}"),
            ("${REF}", "${A}"),
        ];
        for (text, expected) in cases {
            assert_eq!(interpolate(text, &environment()).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_in_is_refused() {
        use InterpolationError::{Malformed, Required, Unclosed, Unset};
        let cases = [
            ("${NONE}", Unset("NONE".into())),
            ("${EMPTY:?set it}", Required { name: "EMPTY".into(), message: "set it".into() }),
            ("${A", Unclosed),
            ("${}", Malformed("${}".into())),
            ("${1A}", Malformed("${1A}".into())),
            ("${A+b}", Malformed("${A+b}".into())),
            ("${A:-${B}}", Malformed("${A:-${B}".into())),
        ];
        for (text, expected) in cases {
            assert_eq!(interpolate(text, &environment()), Err(expected), "{text}");
        }
    }
}
