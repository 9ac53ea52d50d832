//! Keeps secrets out of error reports: a report shows the source line, and the line may hold a key.

use crate::{source::Source, suggest};
use std::ops::Range;

/// Tells whether the value under this key is a secret. Errs on the side of hiding: a slip in the key's name must
/// not show the value.
pub fn names_a_secret(key: &str) -> bool {
    const TELLING: [&str; 7] = ["key", "token", "secret", "password", "passwd", "webhook", "authorization"];
    const HARMLESS: [&str; 9] = [
        "keys",
        "admin_tokens",
        "cost_per_1k_tokens",
        "max_tokens",
        "default_max_tokens",
        "token_arrays",
        "token_counts",
        "tokens",
        "tokens_per_minute",
    ];
    const EXPECTED: [&str; 4] = ["apikey", "servicekey", "webhookurl", "password"];
    let letters: String =
        key.chars().filter(|c| c.is_alphanumeric()).take(64).collect::<String>().to_lowercase();
    let telling =
        TELLING.iter().any(|part| letters.contains(part)) || suggest::closest(&letters, EXPECTED).is_some();
    telling && !HARMLESS.contains(&key)
}

/// Tells whether the value of a key that should hold a hash is none, and may be what was to be hashed.
pub fn is_no_digest(key: &str, value: &str) -> bool {
    key == "sha256" && !value.is_empty() && !is_digest(value)
}

fn is_digest(value: &str) -> bool {
    value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Finds the hashes in a line that stand under a key for hashes: 64 hexadecimal digits.
pub fn digests(line: &str) -> Vec<Range<usize>> {
    const KEY: &str = "sha256";
    let after_keys = line.match_indices(KEY).map(|(at, _)| at + KEY.len());
    let digest = |from: usize| {
        let rest = &line[from..];
        let start = from + rest.find(|c| !matches!(c, '"' | '\'' | ' ' | ':'))?;
        let digits = line[start..].find(|c| !is_token(c)).unwrap_or(line.len() - start);
        is_digest(&line[start..start + digits]).then_some(start..start + digits)
    };
    after_keys.filter_map(digest).collect()
}

/// Tells whether a value is one `${NAME}` or `${NAME:?message}` and nothing else, which may be shown.
pub fn is_only_a_variable(text: &str) -> bool {
    let Some(body) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else { return false };
    let name = body.split_once(":?").map_or(body, |(name, _)| name);
    !name.is_empty() && !body.contains('}') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Shows a name or value inside a message: escaped, and cut when it is long.
pub fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let mut out: String = mask_line(text).chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}

/// Gives the line of `source` that covers `range`, with every secret replaced by `*` of the same width.
pub fn masked_line(source: &Source, line: Range<usize>) -> String {
    let text = source.text().get(line.clone()).unwrap_or_default();
    let Some(secrets) = source.secrets() else {
        return if follows_an_open_secret(&source.text()[..line.start]) {
            mask_all(text)
        } else {
            mask_line(text)
        };
    };
    let secrets: Vec<_> =
        secrets.iter().filter(|secret| secret.start < line.end && line.start < secret.end).collect();
    let in_secret = |index: usize| secrets.iter().any(|secret| secret.contains(&index));
    let hide =
        |(index, c): (usize, char)| if in_secret(line.start + index) && !c.is_whitespace() { '*' } else { c };
    mask_line(&text.char_indices().map(hide).collect::<String>())
}

/// Tells whether a secret that began on one of the last lines may still go on: it has no sound end there. This
/// is for texts that are not YAML, where no parser can tell.
fn follows_an_open_secret(before: &str) -> bool {
    const LINES_BACK: usize = 8;
    before.lines().rev().take(LINES_BACK).any(|line| {
        let characters: Vec<char> = line.chars().collect();
        values_after_keys(&characters).iter().any(|&start| sound_value(&characters[start..]).is_none())
    })
}

/// Hides all but blanks.
fn mask_all(text: &str) -> String {
    text.chars().map(|c| if c.is_whitespace() { c } else { '*' }).collect()
}

/// Hides what looks like a secret in one line of text, whatever was parsed: values after telling keys, tokens
/// with a provider's prefix, long runs without a blank, passwords in URLs. Characters keep their columns.
pub fn mask_line(line: &str) -> String {
    let characters: Vec<char> = line.chars().collect();
    let mut hidden = vec![false; characters.len()];
    for start in values_after_keys(&characters) {
        hide_value(&characters, &mut hidden, start);
    }
    hide_tokens(&characters, &mut hidden);
    characters.iter().zip(hidden).map(|(&c, hide)| if hide { '*' } else { c }).collect()
}

/// Finds where values begin after `…key:`, `…key=` or, where the colon was forgotten, `api_key `.
fn values_after_keys(characters: &[char]) -> Vec<usize> {
    let mut starts = Vec::new();
    for end in 1..=characters.len() {
        let next = characters.get(end);
        // `${NAME:?message}` is no key with a value.
        let colon = matches!(next, Some(':' | '=')) && characters.get(end + 1) != Some(&'?');
        let blank = matches!(next, None | Some(' ' | '"' | '\'')) && is_name(characters[end - 1]);
        // The quote that ends a key in quotes begins no value.
        let ends_key = matches!(next, Some('"' | '\''))
            && characters[end + 1..].iter().find(|c| **c != ' ') == Some(&':');
        if !colon && (!blank || ends_key) {
            continue;
        }
        let name_end = trim_end_quotes(characters, end);
        let mut name_start = name_end;
        while name_start > 0 && is_name(characters[name_start - 1]) {
            name_start -= 1;
        }
        let name: String = characters[name_start..name_end].iter().collect();
        if names_a_secret(&name) && (colon || name.contains('_')) {
            let gap = characters[end..].iter().position(|c| !matches!(c, ' ' | '\t' | ':' | '='));
            starts.push(gap.map_or(characters.len(), |gap| end + gap));
        }
    }
    starts
}

/// Hides one value from `start`. A lone `${NAME}` stays. What looks like one sound value is hidden up to its end,
/// anything else up to the end of the line.
fn hide_value(characters: &[char], hidden: &mut [bool], start: usize) {
    let rest = &characters[start..];
    let (skip, end) = sound_value(rest).unwrap_or((0, rest.len()));
    let value: String = rest[skip..end].iter().collect();
    if !is_only_a_variable(&value) {
        hidden[start + skip..start + end].fill(true);
    }
}

/// Finds one value that ends where a value may end: its content's start and end.
fn sound_value(rest: &[char]) -> Option<(usize, usize)> {
    let &first = rest.first()?;
    let is_end = |c: Option<&char>| c.is_none_or(|c| matches!(c, ',' | '}' | ']' | ' ' | '\r'));
    if matches!(first, '"' | '\'') {
        let close = rest[1..].iter().position(|&c| c == first)? + 1;
        return is_end(rest.get(close + 1)).then_some((1, close));
    }
    if first == '$' {
        let close = rest.iter().position(|&c| c == '}')? + 1;
        return is_end(rest.get(close)).then_some((0, close));
    }
    let end = rest.iter().position(|c| is_end(Some(c))).unwrap_or(rest.len());
    let goes_on =
        rest.get(end) == Some(&' ') && rest[end..].iter().find(|&&c| c != ' ').is_some_and(|&c| c != '#');
    let plain = rest[..end].iter().all(|&c| is_token(c) || matches!(c, '/' | '*'));
    (end > 0 && plain && !goes_on).then_some((0, end))
}

/// Hides tokens by their look.
fn hide_tokens(characters: &[char], hidden: &mut [bool]) {
    const PREFIXES: [&str; 5] = ["sk-", "AIza", "ya29.", "xai-", "gsk_"];
    const LONG: usize = 32;
    let mut start = 0;
    while start < characters.len() {
        if !is_token(characters[start]) {
            start += 1;
            continue;
        }
        let end =
            characters[start..].iter().position(|&c| !is_token(c)).map_or(characters.len(), |n| start + n);
        let token: String = characters[start..end].iter().collect();
        let mixed =
            token.bytes().any(|b| b.is_ascii_digit()) && token.bytes().any(|b| b.is_ascii_alphabetic());
        let secret_look =
            PREFIXES.iter().any(|prefix| token.starts_with(prefix) && token.len() > prefix.len() + 3)
                || (mixed && token.len() >= LONG);
        if secret_look {
            hidden[start..end].fill(true);
        }
        start = end;
    }
    hide_url_passwords(characters, hidden);
}

/// Hides `user:password` of `scheme://user:password@host`.
fn hide_url_passwords(characters: &[char], hidden: &mut [bool]) {
    for start in 0..characters.len().saturating_sub(2) {
        if characters[start..start + 3] != [':', '/', '/'] {
            continue;
        }
        let authority = start + 3;
        // A database's password may hold any character, sound or not: all up to the last `@` is hidden.
        let scheme: String = characters[start.saturating_sub(10)..start].iter().collect();
        let is_database = scheme.ends_with("postgres") || scheme.ends_with("postgresql");
        let ends_user = |c: char| c.is_whitespace() || matches!(c, '/' | ',' | '}');
        let stop = |&c: &char| matches!(c, '"' | '\'') || (!is_database && ends_user(c));
        let end = characters[authority..].iter().position(stop).map_or(characters.len(), |n| authority + n);
        if let Some(at) = characters[authority..end].iter().rposition(|&c| c == '@') {
            hidden[authority..authority + at].fill(true);
        }
    }
}

fn trim_end_quotes(characters: &[char], mut end: usize) -> usize {
    while end > 0 && matches!(characters[end - 1], '"' | '\'' | ' ') {
        end -= 1;
    }
    end
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_the_rest_of_the_line_keeps_its_columns() {
        let cases = [
            ("  api_key: hunter2", "  api_key: *******"),
            ("  - {name: a, api_key: 'hunter2', weight: 0}", "  - {name: a, api_key: '*******', weight: 0}"),
            ("\"apiKey\": \"a b\", x: 1", "\"apiKey\": \"***\", x: 1"),
            ("\"api_key\": \"a b\",", "\"api_key\": \"***\","),
            ("\"api_key\" \"a b\",", "\"api_key********"),
            ("api_key: ${ANTHROPIC_API_KEY}", "api_key: ${ANTHROPIC_API_KEY}"),
            ("api_key: \"${A:-hunter2}\"", "api_key: \"*************\""),
            ("name: sk-ant-api03-x", "name: **************"),
            ("url: postgres://me:pw@db/x", "url: postgres://*****@db/x"),
            ("url: postgresql://me:p/w,@}x@db/x", "url: postgresql://**********@db/x"),
            ("url: https://x/@y", "url: https://x/@y"),
            ("providers.claude.api_key=hunter2", "providers.claude.api_key=*******"),
            ("strategy: round_robin", "strategy: round_robin"),
            ("sha256: ba7816bf8f01cfea414140de5dae2223b00", "sha256: ***********************************"),
            ("model: claude-3-5-sonnet-20241022", "model: claude-3-5-sonnet-20241022"),
        ];
        for (line, expected) in cases {
            assert_eq!(mask_line(line), expected);
            assert_eq!(mask_line(line).chars().count(), line.chars().count());
        }
    }

    #[test]
    fn a_shown_value_is_escaped_and_bounded() {
        assert_eq!(shown("a\u{1b}[31m"), "a\\u{1b}[31m");
        assert_eq!(shown(&"x ".repeat(500)).chars().count(), 81);
    }
}
