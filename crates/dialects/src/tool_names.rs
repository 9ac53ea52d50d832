//! Names of tools, rewritten where a dialect would refuse them, and given back in the answer.

use cliproxy_domain::Dialect;
use sha2::{Digest as _, Sha256};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// The names of one request that its target knows under others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolNames {
    /// By the client's name.
    sent: BTreeMap<String, String>,
    /// By the target's name.
    original: BTreeMap<String, String>,
    /// Names that went as they are.
    taken: BTreeSet<String>,
}

impl ToolNames {
    /// Gives the name that `dialect` takes for a tool, the same for the same name within a request.
    pub(crate) fn fitted<'n>(&mut self, name: &'n str, dialect: Dialect) -> Cow<'n, str> {
        if let Some(known) = self.sent.get(name) {
            return Cow::Owned(known.clone());
        }
        if is_sound(name, dialect) && !self.original.contains_key(name) {
            if !self.taken.contains(name) {
                self.taken.insert(name.to_owned());
            }
            return Cow::Borrowed(name);
        }
        let mut fitted = rewritten(name, dialect);
        while self.taken.contains(&fitted) || self.original.contains_key(&fitted) {
            fitted = rewritten(&fitted, dialect);
        }
        self.sent.insert(name.to_owned(), fitted.clone());
        self.original.insert(fitted.clone(), name.to_owned());
        Cow::Owned(fitted)
    }

    /// Gives the client's name for a tool that the target names.
    pub fn original<'n>(&'n self, sent: &'n str) -> &'n str {
        self.original.get(sent).map_or(sent, String::as_str)
    }

    /// Tells whether every name went as it is.
    pub fn is_empty(&self) -> bool {
        self.original.is_empty()
    }
}

fn max_len(dialect: Dialect) -> usize {
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => 64,
        Dialect::Anthropic | Dialect::Gemini => 128,
    }
}

fn is_sound(name: &str, dialect: Dialect) -> bool {
    let first = name.bytes().next();
    let begins = match dialect {
        Dialect::Gemini => first.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_'),
        _ => first.is_some(),
    };
    begins && name.len() <= max_len(dialect) && name.chars().all(|c| is_allowed(c, dialect))
}

fn is_allowed(c: char, dialect: Dialect) -> bool {
    c.is_ascii_alphanumeric()
        || c == '_'
        || c == '-'
        || (dialect == Dialect::Gemini && (c == '.' || c == ':'))
}

/// Makes a name that is sound and differs where the originals differ.
fn rewritten(name: &str, dialect: Dialect) -> String {
    let suffix = hex::encode(&Sha256::digest(name.as_bytes())[..4]);
    let mut fitted = String::new();
    if dialect == Dialect::Gemini && !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        fitted.push('_');
    }
    let room = max_len(dialect) - suffix.len() - 2;
    fitted.extend(name.chars().take(room).map(|c| if is_allowed(c, dialect) { c } else { '_' }));
    fitted.push('_');
    fitted.push_str(&suffix);
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Dialect; 4] =
        [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini];

    #[test]
    fn a_sound_name_goes_as_it_is() {
        let mut names = ToolNames::default();
        assert_eq!(names.fitted("get_weather", Dialect::OpenAiChat), "get_weather");
        assert_eq!(names.fitted("mcp.fs:read", Dialect::Gemini), "mcp.fs:read");
        assert!(names.is_empty());
    }

    #[test]
    fn every_name_comes_back_as_the_client_wrote_it() {
        for dialect in ALL {
            let mut names = ToolNames::default();
            for name in ["mcp.fs/read", "mcp.fs:read", "9lives", "é", "", &"n".repeat(300), "plain"] {
                let sent = names.fitted(name, dialect).into_owned();
                assert!(is_sound(&sent, dialect), "{sent:?} for {dialect:?}");
                assert_eq!(names.original(&sent), name);
                assert_eq!(names.fitted(name, dialect), sent, "the same name twice");
            }
        }
    }

    #[test]
    fn a_name_that_another_tool_has_already_is_given_to_none() {
        let mut names = ToolNames::default();
        let wanted = rewritten("a.b", Dialect::Anthropic);
        assert_eq!(names.fitted(&wanted, Dialect::Anthropic), wanted);
        let other = names.fitted("a.b", Dialect::Anthropic).into_owned();
        assert_ne!(other, wanted);
        assert_eq!((names.original(&wanted), names.original(&other)), (wanted.as_str(), "a.b"));
    }

    #[test]
    fn names_that_differ_only_in_refused_characters_stay_apart() {
        let mut names = ToolNames::default();
        let one = names.fitted("a.b", Dialect::Anthropic).into_owned();
        let other = names.fitted("a/b", Dialect::Anthropic).into_owned();
        assert_ne!(one, other);
    }
}
