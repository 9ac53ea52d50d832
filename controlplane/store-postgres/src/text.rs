//! What Postgres does not take as text, made such that it does.
//!
//! Nodes may report any name. One that the database refuses must not keep a whole transaction from being committed, and
//! with it the reports of all other nodes.

use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_64;

/// How long the text of a column in a key may be, in bytes: a row of an index has room for 2,704, and keys have up to
/// three such columns, and two of [`MAX_NAME`].
const MAX_KEY: usize = 800;

/// How long the names of clients and of states of prices may be, which the configuration keeps shorter.
const MAX_NAME: usize = 100;

/// What stands at the end of a text that was cut: a mark, and the hash of the whole in hexadecimal.
const CUT: usize = '…'.len_utf8() + 16;

/// Gives a text as a column that is in no key can hold it: Postgres refuses the character NUL.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// Gives a text as a column of a key can hold it: also one that is too long is cut, to one that no other has.
pub(crate) fn key(text: &str) -> Cow<'_, str> {
    cut(text, MAX_KEY)
}

/// As [`key`], for the columns that have room for a name alone.
pub(crate) fn name(text: &str) -> Cow<'_, str> {
    cut(text, MAX_NAME)
}

fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return plain(text);
    }
    let begin = &text[..text.floor_char_boundary(most - CUT)];
    Cow::Owned(format!("{}…{:016x}", plain(begin), xxh3_64(text.as_bytes())))
}

/// Gives many texts as [`key`] does, in their order.
pub(crate) fn keys<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    texts.into_iter().map(|text| key(text).into_owned()).collect()
}

/// Gives many texts as [`plain`] does, in their order.
pub(crate) fn plains<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    texts.into_iter().map(|text| plain(text).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_takes_stays_as_it_is() {
        for text in ["", "claude", "ключ \"/\\'\u{1b}\n"] {
            assert!(matches!(plain(text), Cow::Borrowed(same) if same == text));
            assert!(matches!(key(text), Cow::Borrowed(same) if same == text));
            assert!(matches!(name(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn a_character_that_is_refused_is_replaced() {
        assert_eq!(plain("a\0b"), "a\u{fffd}b");
        assert_eq!(key("a\0b"), "a\u{fffd}b");
    }

    #[test]
    fn long_keys_fit_and_stay_apart() {
        let [one, other] = ["я".repeat(2_000), "я".repeat(2_001)];
        for text in [&one, &other] {
            assert!(key(text).len() <= MAX_KEY + 2, "a replaced character takes two bytes more");
            assert_eq!(plain(text), text.as_str());
        }
        assert_ne!(key(&one), key(&other));
        assert_ne!(name(&one), name(&other));
        assert!(name(&one).len() <= MAX_NAME + 2);
        assert!(key(&format!("\0{one}")).starts_with('\u{fffd}'));
        let many = "\0".repeat(5_000);
        assert!(3 * key(&many).len() + 2 * name(&many).len() < 8_000);
    }
}
